"""Connections to a MySQL or MariaDB server: opened, asked, limited, and ended on the server too."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

try:
    import pymysql
    from pymysql.constants import FIELD_TYPE as KINDS
    from pymysql.converters import encoders
    from pymysql.cursors import SSCursor
except ImportError:  # told where a session is opened
    pymysql = None

from luciola.sql.database.bounds import connect_reason
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.mysql.failures import message, own_errors
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError, Rows
from luciola.sql.database.url import Address

IS_INSTALLED = pymysql is not None
CONNECT_S = 10
READ_S = 60
CHANGING_MODES = """ANSI ANSI_QUOTES DB2 EMPTY_STRING_IS_NULL HIGH_NOT_PRECEDENCE IGNORE_SPACE
    MAXDB MSSQL NO_BACKSLASH_ESCAPES ORACLE POSTGRESQL"""
"""SQL modes under which a text would be cut into other pieces than the guard's."""


class Connection:
    """One connection; `raw` is the driver's. Its methods raise RefusedError.

    Args:
        name: the default database; None: none, so that a bare table's name is unknown.
    """

    def __init__(self, address: Address, name: str | None) -> None:
        self.address = address
        self.raw = connected(address, name)
        self.is_mariadb = "mariadb" in str(self.raw.get_server_info()).lower()
        with own_errors(), self.raw.cursor() as cursor:
            cursor.execute("SELECT @@SESSION.sql_mode")
            modes = [
                mode
                for mode in cursor.fetchone()[0].split(",")
                if mode and mode not in CHANGING_MODES.split()
            ]
            cursor.execute("SET SESSION sql_mode = %s", (",".join(modes),))
            cursor.execute("SET SESSION TRANSACTION READ ONLY")

    @property
    def is_open(self) -> bool:
        """Whether the server answers, as far as is known."""
        return bool(self.raw.open)

    def ask(self, sql: str, parameters: Sequence[Cell] = ()) -> list[list[Cell]]:
        """The rows of a query of our own."""
        return [list(row) for row in self.table(sql, parameters).rows]

    def table(self, sql: str, parameters: Sequence[Cell] = ()) -> Rows:
        """The same with the names of the columns."""
        with own_errors(), self.raw.cursor() as cursor:
            cursor.execute(sql, tuple(parameters) or None)
            names = [column[0] for column in cursor.description or ()]
            return Rows(names, [list(row) for row in cursor.fetchall()])

    def streaming(self) -> Any:
        """A cursor of the driver's that reads one row after another."""
        return self.raw.cursor(SSCursor)

    @contextlib.contextmanager
    def transaction(self, limits: Limits) -> Iterator[None]:
        """A transaction that reads, within the server's own limits; nothing of it stays."""
        self.begin(limits)
        try:
            yield
        finally:
            self.end()

    def begin(self, limits: Limits) -> None:
        """Set the limits and begin to read."""
        with own_errors(), self.raw.cursor() as cursor:
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

    def end(self) -> None:
        """Take the transaction back, if there is one."""
        if self.raw.open:
            try:
                self.raw.rollback()
            except Exception:  # the connection is lost: the next query makes a new one
                self.close()

    def kill(self) -> None:
        """End the query on the server, and the connection, on which rows may be under way."""
        with contextlib.suppress(Exception):  # the server ends it at its own limit otherwise
            other = connected(self.address, None)
            try:
                with other.cursor() as cursor:
                    cursor.execute(f"KILL {int(self.raw.thread_id())}")
            finally:
                other.close()
        with contextlib.suppress(Exception):
            self.raw._force_close()

    def close(self) -> None:
        """End the connection."""
        if self.raw.open:
            with contextlib.suppress(Exception):  # lost already
                self.raw.close()


def connected(address: Address, name: str | None) -> Any:
    """A connection of the driver's. Raises: RefusedError."""
    options = address.options
    whole = (KINDS.TINY, KINDS.SHORT, KINDS.LONG, KINDS.LONGLONG, KINDS.INT24, KINDS.YEAR)
    try:
        return pymysql.connect(
            user=address.user or None,
            password=address.password or os.environ.get("MYSQL_PWD", ""),
            host=address.host or "localhost",
            port=address.port or 3306,
            unix_socket=options.get("unix_socket"),
            database=name,
            charset="utf8mb4",
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
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
            **_encryption(options),
        )
    except (pymysql.err.MySQLError, OSError, RuntimeError) as error:
        reason = connect_reason(message(error), address.password)
        kind = "password" if "using password: NO" in reason else "database"
        raise RefusedError(kind, reason) from None


def _encryption(options: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: options[key] for key in ("ssl_ca", "ssl_cert", "ssl_key") if options.get(key)
    }
    if options.get("ssl", "").lower() in ("true", "1", "required"):
        found["ssl"] = {"ssl": {}}
    return found


def _decimal(text: str) -> int | float:
    return float(text) if "." in text else int(text)
