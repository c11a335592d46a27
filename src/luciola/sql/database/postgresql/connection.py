"""A connection to a PostgreSQL server: opened, asked, and left as it was.

Each transaction reads only, has the limits of the query, and is rolled back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

try:
    from psycopg import pq
except ImportError:  # told where a session is opened
    pq = None  # type: ignore[assignment]

from luciola.sql.database.bounds import connect_reason
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.postgresql.cells import rows, sent
from luciola.sql.database.postgresql.failures import checked
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError
from luciola.sql.database.url import Address, parse_url

IS_INSTALLED = pq is not None
CONNECT_S = 10
OLDEST = 120000
TREE = "parse tree:"
SETTINGS = """SET default_transaction_read_only = on; SET datestyle = 'ISO'; SET bytea_output = hex;
    SET intervalstyle = postgres; SET extra_float_digits = 1; SET standard_conforming_strings = on;
    SET max_parallel_workers_per_gather = 0; SET jit = off; SET client_min_messages = warning;
    SET xmloption = content"""
PREPARED = b"luciola"


class Connection:
    """One connection; `raw` is the driver's. Its methods raise RefusedError."""

    def __init__(self, url: str) -> None:
        self.notices: list[tuple[str, str]] = []
        self.raw = _connected(url)
        self.raw.notice_handler = self._notice
        if self.raw.server_version < OLDEST:
            raise RefusedError("database", "PostgreSQL before 12 is not supported")
        self.command(SETTINGS)
        self.is_superuser = self.raw.parameter_status(b"is_superuser") == b"on"

    @property
    def is_open(self) -> bool:
        """Whether the server answers, as far as is known."""
        return bool(self.raw.status == pq.ConnStatus.OK)

    def ask(self, sql: str, parameters: Sequence[Cell] = ()) -> list[list[Cell]]:
        """The rows of a query of our own."""
        return rows(self.result(sql, parameters))

    def result(self, sql: str, parameters: Sequence[Cell] = ()) -> Any:
        """The driver's result of a query of our own."""
        return checked(self.raw.exec_params(sql.encode(), sent(parameters)))

    def command(self, sql: str) -> None:
        """Run commands of our own."""
        checked(self.raw.exec_(sql.encode()))

    @contextlib.contextmanager
    def transaction(self, limits: Limits) -> Iterator[None]:
        """A transaction that reads, within limits; nothing of it stays."""
        self._begin(limits)
        try:
            yield
        finally:
            self._end()

    def prepare(self, sql: str) -> str:
        """Prepare a query, which runs nothing; the parse tree that the server tells of it.

        Raises: RefusedError, also where the text holds no query.
        """
        self.command(
            "SET LOCAL debug_pretty_print = off; SET LOCAL debug_print_parse = on;"
            "SET LOCAL client_min_messages = log"
        )
        self.notices.clear()
        checked(self.raw.prepare(PREPARED, sql.encode("utf-8", "replace")))
        trees = [detail for primary, detail in self.notices if primary == TREE]
        self.notices.clear()
        self.command("SET LOCAL debug_print_parse = off; SET LOCAL client_min_messages = warning")
        if len(trees) != 1:
            raise RefusedError("invalid", "it holds no query")
        return trees[0]

    def close(self) -> None:
        """End the connection."""
        self.raw.finish()

    def _begin(self, limits: Limits) -> None:
        milliseconds = max(1, round(limits.timeout_s * 1000))
        memory = max(1, min(64, limits.max_memory_bytes // (8 * MIB)))
        self.command(
            f"BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds};"
            f"SET LOCAL lock_timeout = {milliseconds}; SET LOCAL work_mem = '{memory}MB';"
            f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds + 5000}"
        )
        if self.is_superuser:
            self.command("SET LOCAL temp_file_limit = '1GB'; SET LOCAL log_min_messages = panic")

    def _end(self) -> None:
        """Nothing stays: settings, the prepared query, locks."""
        status = pq.TransactionStatus
        if self.raw.transaction_status in (status.INTRANS, status.INERROR):
            self.raw.exec_(b"ROLLBACK")
            self.raw.exec_(b"DEALLOCATE ALL")
        elif self.raw.transaction_status != status.IDLE:
            self.raw.finish()

    def _notice(self, result: Any) -> None:
        field = pq.DiagnosticField
        primary = (result.error_field(field.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
        detail = (result.error_field(field.MESSAGE_DETAIL) or b"").decode("utf-8", "replace")
        self.notices.append((primary, detail))


def _connected(url: str) -> Any:
    try:
        address = parse_url(url)
    except ValueError as error:
        raise RefusedError("database", str(error)) from None
    found = pq.PGconn.connect(_conninfo(address).encode())
    if found.status != pq.ConnStatus.OK:
        reason = found.error_message.decode("utf-8", "replace")
        found.finish()
        kind = "password" if "no password supplied" in reason else "database"
        raise RefusedError(kind, connect_reason(reason, address.password))
    return found


def _conninfo(address: Address) -> str:
    """As libpq reads it: key='value', with what is empty left to its own settings."""
    settings = {
        "connect_timeout": str(CONNECT_S),
        "application_name": "luciola",
        **address.options,
        "user": address.user,
        "password": address.password,
        "host": address.host or address.options.get("host", ""),
        "port": str(address.port or address.options.get("port", "")),
        "dbname": address.name,
        "client_encoding": "UTF8",
    }
    return " ".join(f"{key}={_value(value)}" for key, value in settings.items() if value)


def _value(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
