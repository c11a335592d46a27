"""Model-written SQL on PostgreSQL, MySQL and DuckDB: a read-only transaction with a time limit.

Less isolated than the SQLite sandbox. The server's own rights decide in the end: give a user who
may only SELECT, on the tables that may be seen. What stands before that: the statement must parse
as one query without parts that write and without functions that reach files or other servers; the
transaction is read-only; it is stopped at the time limit. Memory is the server's to limit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.errors import SqlForbiddenError, SqlInvalidError
from luciola.sql.database import connected
from luciola.sql.limits import Limits
from luciola.sql.result import Cell, Result, Row, failure
from luciola.sql.style import PARSERS

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlglot.expressions import Expr


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


def run_on_server(
    database: str | Path, sql: str, limits: Limits, *, truncate: bool = False
) -> Result:
    """Run one query on the database that an SQLAlchemy URL names.

    Raises: a subclass of SqlError; DatabaseError where the server cannot be reached.
    """
    from sqlalchemy.exc import DBAPIError

    with connected(database) as connection:
        check_reads_only(sql, connection.dialect.name)
        started = time.perf_counter()
        try:
            with _stopped_after(connection, limits.timeout_s):
                found = connection.execution_options(stream_results=True).exec_driver_sql(sql)
                rows, truncated = _fetch(found, limits, truncate, database)
        except DBAPIError as error:
            reason = str(error.orig).strip()
            stopped = any(phrase in reason.lower() for phrase in STOPPED)
            raise failure("timeout" if stopped else "invalid", reason, limits, database) from None
        return Result(tuple(found.keys()), rows, time.perf_counter() - started, truncated)


def check_reads_only(sql: str, dialect: str) -> None:
    """Let pass one statement that only reads tables.

    Raises: SqlInvalidError if it does not parse, SqlForbiddenError if it is anything but a query.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        found = sqlglot.parse(sql, dialect=PARSERS.get(dialect, dialect))
    except SqlglotError as error:
        raise SqlInvalidError(f"the query does not parse: {str(error).splitlines()[0]}") from None
    statements = [tree for tree in found if tree is not None]
    if len(statements) != 1:
        raise SqlInvalidError(f"one statement is expected, and there are {len(statements)}")
    for wish in _wishes(statements[0]):
        raise SqlForbiddenError(f"only reading is allowed, and the query wants to {wish}")


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


def _fetch(
    found: Any, limits: Limits, truncate: bool, database: str | Path
) -> tuple[tuple[Row, ...], bool]:
    rows: list[Row] = []
    left = limits.max_result_bytes
    while batch := found.fetchmany(FETCHED_AT_ONCE):
        for row in batch:
            if len(rows) == limits.max_rows:
                if truncate:
                    return tuple(rows), True
                raise failure("rows", "", limits, database)
            left -= sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
            if left < 0:
                raise failure("size", "", limits, database)
            rows.append(tuple(map(_cell, row)))
    return tuple(rows), False


def _cell(value: Any) -> Cell:
    """The value as SQLite would give it: decimals as floats, dates and the rest as text."""
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    return float(value) if isinstance(value, Decimal) else str(value)
