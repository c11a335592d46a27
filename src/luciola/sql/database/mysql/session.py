"""A session on MySQL or MariaDB, within a worker process.

Each query runs in a read-only transaction that is rolled back, with the server's own limits of time
and memory; its rows are read one by one. Nothing is interpolated, so that `%` is itself. Where only
some tables may be read, it runs on a second connection without a default database (see the guard).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

try:
    import pymysql
    from pymysql.constants import FIELD_TYPE as KINDS
    from pymysql.converters import encoders
    from pymysql.cursors import SSCursor
except ImportError:  # told where a session is opened
    pymysql = None

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.bounds import Bounds, connect_reason
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.mysql import guard
from luciola.sql.database.mysql.catalogue import read_schema, readable_columns
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError, Rows
from luciola.sql.database.url import Address, parse_url
from luciola.sql.identifier import quoted
from luciola.sql.schema import Schema

CONNECT_S = 10
LATE_S = 0.3
"""How much later than the server's own limit the connection gives up waiting."""
CHANGING_MODES = """ANSI ANSI_QUOTES DB2 EMPTY_STRING_IS_NULL HIGH_NOT_PRECEDENCE IGNORE_SPACE
    MAXDB MSSQL NO_BACKSLASH_ESCAPES ORACLE POSTGRESQL"""
"""SQL modes under which a text would be cut into other pieces than the guard's."""
TIMEOUTS = (1969, 3024, 1317, 1028, 1205)
MEMORY = (1037, 1038, 1041, 1135, 4177, 1290, 3015, 1114, 1301, 4191)
LOST = (2006, 2013, 2055, 1053, 1927, 1152, 1158, 1159, 1160, 1161)
FORBIDDEN = (1142, 1143, 1044, 1227, 1370, 1792, 1410)
NO_DATABASE = 1046


def open_session(database: str, limits: Limits) -> MysqlSession:
    """Connect. Raises: RefusedError."""
    if pymysql is None:
        raise RefusedError("driver", "pymysql mysql")
    return MysqlSession(database)


class MysqlSession:
    """One connection with the database as default, and one without any where needed."""

    def __init__(self, url: str) -> None:
        try:
            self.address = parse_url(url)
        except ValueError as error:
            raise RefusedError("database", str(error)) from None
        self.name = self.address.name
        if not self.name:
            raise RefusedError("database", "the URL names no database")
        self.connection: Any = _connected(self.address, self.name)
        self.bare: Any = None
        self.is_mariadb = "mariadb" in str(self.connection.get_server_info()).lower()
        self.dialect = "mariadb" if self.is_mariadb else "mysql"
        self._prepare(self.connection)

    @property
    def is_current(self) -> bool:
        return bool(self.connection.open)

    def run(
        self,
        sql: str,
        limits: Limits,
        *,
        truncate: bool,
        allowed: Allowed | None,
        options: Mapping[str, bool],
    ) -> Rows:
        try:
            found = guard.pieces(sql)
            guard.check(found, self.name, self._databases())
            if allowed is None:
                return self._run(self.connection, guard.text(found), limits, truncate)
            chosen = readable_columns(self._ask, self.name, allowed)
            text = guard.restricted(found, self.name, chosen)
        except guard.QueryRefusedError as error:
            raise RefusedError(error.kind, error.detail) from None
        if self.bare is None or not self.bare.open:
            self.bare = _connected(self.address, None)
            self._prepare(self.bare)
        return self._run(self.bare, text, limits, truncate)

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        self._begin(self.connection, limits)
        try:
            return read_schema(
                self._ask, self.name, self.dialect, allowed, limits if count else None
            )
        finally:
            self._end(self.connection)

    def values(
        self, table: str, column: str, limits: Limits, *, rows: int, most: int, longest: int
    ) -> list[Cell]:
        name = quoted(column, "mysql")
        short = f" AND char_length({name}) <= {longest}" if longest else ""
        sql = (
            f"SELECT DISTINCT {name} FROM (SELECT {name} FROM {quoted(table, 'mysql')} "
            f"LIMIT {rows}) AS looked_at WHERE {name} IS NOT NULL{short} LIMIT {most}"
        )
        self._begin(self.connection, limits)
        try:
            return [row[0] for row in self._ask(sql)]
        except RefusedError as error:
            if error.kind in ("timeout", "invalid"):
                return []
            raise
        finally:
            self._end(self.connection)

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        self._begin(self.connection, limits)
        try:
            with _own_errors(), self.connection.cursor() as cursor:
                cursor.execute(sql, tuple(parameters) or None)
                names = [column[0] for column in cursor.description or ()]
                return Rows(names, [_row(row) for row in cursor.fetchall()])
        finally:
            self._end(self.connection)

    def close(self) -> None:
        for connection in (self.connection, self.bare):
            _closed(connection)

    def _ask(self, sql: str, parameters: Sequence[Cell] = ()) -> list[list[Cell]]:
        with _own_errors(), self.connection.cursor() as cursor:
            cursor.execute(sql, tuple(parameters) or None)
            return [_row(row) for row in cursor.fetchall()]

    def _databases(self) -> list[str]:
        return [str(row[0]) for row in self._ask("SHOW DATABASES")]

    def _prepare(self, connection: Any) -> None:
        """Settings for the life of the connection."""
        with _own_errors(), connection.cursor() as cursor:
            cursor.execute("SELECT @@SESSION.sql_mode")
            modes = [
                mode
                for mode in cursor.fetchone()[0].split(",")
                if mode and mode not in CHANGING_MODES.split()
            ]
            cursor.execute("SET SESSION sql_mode = %s", (",".join(modes),))
            cursor.execute("SET SESSION TRANSACTION READ ONLY")

    def _begin(self, connection: Any, limits: Limits) -> None:
        with _own_errors(), connection.cursor() as cursor:
            if self.is_mariadb:
                memory = max(16 * MIB, limits.max_memory_bytes // 2)
                cursor.execute(f"SET SESSION max_statement_time = {limits.timeout_s:.3f}")
                cursor.execute(f"SET SESSION max_session_mem_used = {memory}")
            else:
                cursor.execute(
                    f"SET SESSION max_execution_time = {max(1, round(limits.timeout_s * 1000))}"
                )
            cursor.execute(f"SET SESSION lock_wait_timeout = {max(1, round(limits.timeout_s))}")
            cursor.execute("START TRANSACTION READ ONLY")

    def _end(self, connection: Any) -> None:
        if connection.open:
            try:
                connection.rollback()
            except Exception:  # the connection is lost: the next query makes a new one
                _closed(connection)

    def _run(self, connection: Any, sql: str, limits: Limits, truncate: bool) -> Rows:
        bounds = Bounds(limits, truncate)
        deadline = time.monotonic() + limits.timeout_s
        self._begin(connection, limits)
        connection._read_timeout = limits.timeout_s + LATE_S
        complete = False
        cursor = connection.cursor(SSCursor)
        try:
            with _own_errors():
                cursor.execute(sql)
                if cursor.description is None:
                    raise RefusedError("invalid", "it holds no query")
                columns = [column[0] for column in cursor.description]
                kinds = [column[1] for column in cursor.description]
                for row in iter(cursor.fetchone, None):
                    if not bounds.add(_row(row, kinds)):
                        return Rows(columns, bounds.rows, True)
                    if time.monotonic() > deadline:
                        raise RefusedError("timeout")
            complete = True
            return Rows(columns, bounds.rows, False)
        except RefusedError as error:
            complete = error.kind in ("invalid", "forbidden") and connection.open
            raise
        finally:
            connection._read_timeout = CONNECT_S
            if complete:
                self._end(connection)
            else:
                self._kill(connection)
                _abandon(cursor)

    def _kill(self, connection: Any) -> None:
        """End the query on the server, and the connection, on which rows may be under way."""
        with contextlib.suppress(Exception):  # the server ends it at its own limit otherwise
            other = _connected(self.address, None)
            try:
                with other.cursor() as cursor:
                    cursor.execute(f"KILL {int(connection.thread_id())}")
            finally:
                _closed(other)
        with contextlib.suppress(Exception):
            connection._force_close()


def _connected(address: Address, name: str | None) -> Any:
    options = address.options
    encrypted: dict[str, Any] = {
        key: value
        for key, value in (
            ("ssl_ca", options.get("ssl_ca")),
            ("ssl_cert", options.get("ssl_cert")),
            ("ssl_key", options.get("ssl_key")),
        )
        if value
    }
    if options.get("ssl", "").lower() in ("true", "1", "required"):
        encrypted["ssl"] = {"ssl": {}}
    whole = (KINDS.TINY, KINDS.SHORT, KINDS.LONG, KINDS.LONGLONG, KINDS.INT24, KINDS.YEAR)
    try:
        return pymysql.connect(
            user=address.user or None,
            password=address.password,
            host=address.host or "localhost",
            port=address.port or 3306,
            unix_socket=options.get("unix_socket"),
            database=name,
            charset="utf8mb4",
            connect_timeout=CONNECT_S,
            read_timeout=60,
            autocommit=False,
            local_infile=False,
            program_name="luciola",
            conv={
                **encoders,
                **dict.fromkeys(whole, int),
                KINDS.FLOAT: float,
                KINDS.DOUBLE: float,
                KINDS.DECIMAL: _decimal,
                KINDS.NEWDECIMAL: _decimal,
            },
            **encrypted,
        )
    except (pymysql.err.MySQLError, OSError, RuntimeError) as error:
        reason = str(error.args[1] if len(error.args) > 1 else error)
        raise RefusedError("database", connect_reason(reason, address.password)) from None


def _decimal(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _row(row: Sequence[Any], kinds: Sequence[int] = ()) -> list[Cell]:
    """BIT columns as numbers; the driver's texts and bytes as they are."""
    return [
        int.from_bytes(cell, "big")
        if index < len(kinds) and kinds[index] == 16 and cell is not None
        else cell
        for index, cell in enumerate(row)
    ]


def _abandon(cursor: Any) -> None:
    """Keep the driver from reading the rest of a result whose connection is gone."""
    if cursor._result is not None:
        cursor._result.unbuffered_active = False
        cursor._result.connection = None
    cursor.connection = None


def _closed(connection: Any) -> None:
    if connection is not None and connection.open:
        with contextlib.suppress(Exception):  # lost already
            connection.close()


@contextlib.contextmanager
def _own_errors() -> Any:
    """The driver's errors as ours."""
    try:
        yield
    except pymysql.err.MySQLError as error:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        reason = str(error.args[1] if len(error.args) > 1 else error).partition("\n")[0]
        raise RefusedError(_kind(code, reason), _detail(code, reason)) from None
    except (UnicodeError, OSError) as error:
        raise RefusedError("database", str(error)) from None


def _kind(code: int, reason: str) -> str:
    if code in TIMEOUTS or "timed out" in reason:
        return "timeout"
    if "mem_used" in reason or code in MEMORY:
        return "memory"
    if code in FORBIDDEN:
        return "forbidden"
    return "database" if code in LOST else "invalid"


def _detail(code: int, reason: str) -> str:
    if code == NO_DATABASE:
        return "it reads a table that is not among those allowed"
    if code in (1142, 1143):
        return "read what this user may not read (" + reason + ")"
    return "write" if code == 1792 else reason
