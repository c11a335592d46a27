"""Model-written SQL on PostgreSQL, MySQL and DuckDB: a read-only transaction with a time limit.

Less isolated than the SQLite sandbox. The server's own rights decide in the end: give a user who
may only SELECT, on the tables that may be seen. What stands before that: the statement must parse
as one query without parts that write and without functions that reach files or other servers; the
transaction is read-only; it is stopped at the time limit. Memory is the server's to limit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.dialects import dialect_of
from luciola.sql.database.limits import Limits
from luciola.sql.database.result import Cell, Row
from luciola.sql.database.server_catalogue import read_tables
from luciola.sql.database.session import RefusedError, Rows
from luciola.sql.identifier import quoted
from luciola.sql.schema import Schema
from luciola.sql.style import PARSERS

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlglot.expressions import Expr

DUCKDB_OPTIONS = {
    "read_only": True,
    "config": {"enable_external_access": "false", "lock_configuration": "true"},
}
DRIVERS = {
    "postgresql": "psycopg",
    "mysql": "pymysql",
    "mariadb": "pymysql",
    "duckdb": "duckdb_engine",
}
FORBIDDEN_PREFIXES = ("pg_read_", "pg_ls_", "pg_stat_file", "lo_", "dblink", "read_", "sniff_")
FORBIDDEN_FUNCTIONS = frozenset(
    {
        "benchmark",
        "getenv",
        "glob",
        "load_file",
        "parquet_metadata",
        "parquet_scan",
        "pg_cancel_backend",
        "pg_sleep",
        "pg_terminate_backend",
        "query",
        "query_table",
        "query_to_xml",
        "set_config",
        "sleep",
    }
)
STOPPED = ("statement timeout", "maximum statement execution time", "interrupt")
FETCHED_AT_ONCE = 500


def open_session(database: str, limits: Limits) -> ServerSession:
    """A session on the database of that URL."""
    with connected(database):
        return ServerSession(database)


class ServerSession:
    """One database; each request has a connection of its own."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.is_current = True

    def run(
        self,
        sql: str,
        limits: Limits,
        *,
        truncate: bool,
        allowed: Allowed | None,
        options: Mapping[str, bool],
    ) -> Rows:
        with connected(self.database) as connection:
            check_reads_only(sql, connection.dialect.name)
            return _run(connection, sql, (), limits, truncate)

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        with connected(self.database) as connection:
            return Schema(connection.dialect.name, read_tables(connection, count=count))

    def values(
        self,
        table: str,
        column: str,
        limits: Limits,
        *,
        rows: int,
        most: int,
        longest: int,
    ) -> list[Cell]:
        with connected(self.database) as connection:
            dialect = connection.dialect.name
            name = quoted(column, dialect)
            sql = (
                f"SELECT DISTINCT {name} FROM (SELECT {name} FROM {quoted(table, dialect)}"
                f" LIMIT {rows}) AS looked_at WHERE {name} IS NOT NULL LIMIT {most}"
            )
            found = _run(connection, sql, (), limits, truncate=True).rows
        return [
            value
            for (value,) in found
            if not (longest and isinstance(value, str) and len(value) > longest)
        ]

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        with connected(self.database) as connection:
            return _run(connection, sql, parameters, limits, truncate=False)

    def close(self) -> None:
        pass


def _run(
    connection: Connection, sql: str, parameters: Sequence[Cell], limits: Limits, truncate: bool
) -> Rows:
    from sqlalchemy.exc import DBAPIError

    try:
        with _stopped_after(connection, limits.timeout_s):
            streamed = connection.execution_options(stream_results=True)
            found = streamed.exec_driver_sql(sql, tuple(parameters) or None)
            rows, truncated = _fetch(found, limits, truncate)
    except DBAPIError as error:
        reason = str(error.orig).strip()
        stopped = any(phrase in reason.lower() for phrase in STOPPED)
        raise RefusedError("timeout" if stopped else "invalid", reason) from None
    return Rows(tuple(found.keys()), rows, truncated)


@contextmanager
def connected(database: str) -> Iterator[Connection]:
    """A read-only SQLAlchemy connection, closed with its engine at the end.

    Raises: RefusedError.
    """
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    engine = _engine(database)
    try:
        with engine.connect() as connection:
            make_read_only(connection)
            yield connection
    except DBAPIError as error:
        raise _unreadable(error.orig) from None
    except SQLAlchemyError as error:
        raise _unreadable(error) from None
    finally:
        engine.dispose()


def _unreadable(reason: object) -> RefusedError:
    """Drivers explain on several lines; the first says what happened."""
    return RefusedError("database", str(reason).strip().partition("\n")[0].rstrip(". "))


def make_read_only(connection: Connection) -> None:
    """Begin a transaction in which the server itself refuses to write."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    elif connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        connection.rollback()


def _engine(database: str) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    dialect = dialect_of(database).name
    try:
        return create_engine(
            _with_driver(str(database), dialect),
            poolclass=NullPool,
            connect_args=DUCKDB_OPTIONS if dialect == "duckdb" else {},
        )
    except (ImportError, NoSuchModuleError):
        raise RefusedError("driver", f"{DRIVERS[dialect]} {dialect}") from None
    except (ArgumentError, ValueError):
        raise RefusedError("database", "it is not understood as a URL") from None


def _with_driver(url: str, dialect: str) -> str:
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    scheme, rest = url.split("://", 1)
    return url if "+" in scheme else f"{drivers.get(dialect, dialect)}://{rest}"


def check_reads_only(sql: str, dialect: str) -> None:
    """Let pass one statement that only reads tables.

    Raises: RefusedError if it does not parse or is anything but a query.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        found = sqlglot.parse(sql, dialect=PARSERS.get(dialect, dialect))
    except SqlglotError as error:
        raise RefusedError("invalid", str(error).splitlines()[0]) from None
    statements = [tree for tree in found if tree is not None]
    if len(statements) != 1:
        said = f"one statement is expected, and there are {len(statements)}"
        raise RefusedError("invalid", said)
    for wish in _wishes(statements[0]):
        raise RefusedError("forbidden", wish)


def _wishes(tree: Expr) -> Iterator[str]:
    from sqlglot import exp

    if not isinstance(tree, exp.Query):
        yield f"run {tree.key.upper()}"
    for part in tree.walk():
        if isinstance(part, exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Create):
            yield part.key
        elif isinstance(part, exp.Command | exp.Into | exp.Lock):
            yield f"run {part.key.upper()}"
        elif isinstance(part, exp.Func):
            name = (part.name if isinstance(part, exp.Anonymous) else part.sql_name()).lower()
            if name in FORBIDDEN_FUNCTIONS or name.startswith(FORBIDDEN_PREFIXES):
                yield f"call {name}()"


@contextmanager
def _stopped_after(connection: Connection, timeout_s: float) -> Iterator[None]:
    """The server stops the query at the limit; DuckDB, which has no limit, a timer."""
    milliseconds = max(1, round(timeout_s * 1000))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds}")
    elif connection.dialect.name == "mysql":
        connection.exec_driver_sql(f"SET SESSION max_execution_time = {milliseconds}")
    elif connection.dialect.name == "mariadb":
        connection.exec_driver_sql(f"SET SESSION max_statement_time = {timeout_s}")
    interrupt = getattr(connection.connection.driver_connection, "interrupt", lambda: None)
    timer = threading.Timer(timeout_s, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _fetch(found: Any, limits: Limits, truncate: bool) -> tuple[tuple[Row, ...], bool]:
    rows: list[Row] = []
    left = limits.max_result_bytes
    while batch := found.fetchmany(FETCHED_AT_ONCE):
        for row in batch:
            if len(rows) == limits.max_rows:
                if truncate:
                    return tuple(rows), True
                raise RefusedError("rows")
            left -= sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
            if left < 0:
                raise RefusedError("size")
            rows.append(tuple(map(_cell, row)))
    return tuple(rows), False


def _cell(value: Any) -> Cell:
    """The value as SQLite would give it: decimals as floats, dates and the rest as text."""
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    return float(value) if isinstance(value, Decimal) else str(value)
