"""A session on PostgreSQL, within a worker process.

Each query runs in a read-only transaction that is rolled back. It is prepared first, which runs
nothing; the server tells how it understands the query, and the guard decides on that. Rows are read
one by one. Nothing is interpolated, so that `%` and `:` are themselves.

A superuser's connection becomes pg_read_all_data for the query, who can read tables and nothing
else; not where a table has row security or is foreign, which would show other rows to that role.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

try:
    from psycopg import OperationalError, pq
except ImportError:  # told where a session is opened
    pq = None  # type: ignore[assignment]

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.backend import ServerMemory
from luciola.sql.database.bounds import Bounds, connect_reason
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.postgresql.catalogue import catalogue, default_schema, read_schema
from luciola.sql.database.postgresql.guard import wishes
from luciola.sql.database.postgresql.tree import read_tree
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError, Rows
from luciola.sql.database.url import parse_url
from luciola.sql.schema import Schema

CONNECT_S = 10
TREE = "parse tree:"
CANCELLED = "57014"
OUT_OF_MEMORY = ("53200", "54000", "53400", "53100")
"""Out of memory, a value beyond 1 GB, temporary files beyond their limit, a full disk."""
LOST = ("57P01", "57P02", "57P03", "08")
PRIVILEGE = "42501"
READ_ONLY = "25006"
SETTINGS = """SET default_transaction_read_only = on; SET datestyle = 'ISO'; SET bytea_output = hex;
    SET intervalstyle = postgres; SET extra_float_digits = 1; SET standard_conforming_strings = on;
    SET max_parallel_workers_per_gather = 0; SET jit = off; SET client_min_messages = warning;
    SET xmloption = content"""
NUMBERS = {20: int, 21: int, 23: int, 26: int, 700: float, 701: float}


def open_session(database: str, limits: Limits) -> PostgresqlSession:
    """Connect. Raises: RefusedError."""
    if pq is None:
        raise RefusedError("driver", "psycopg postgresql")
    return PostgresqlSession(database)


class PostgresqlSession:
    """One connection; a new one is made where it is lost."""

    def __init__(self, url: str) -> None:
        self.notices: list[tuple[str, str]] = []
        try:
            address = parse_url(url)
        except ValueError as error:
            raise RefusedError("database", str(error)) from None
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
        text = " ".join(f"{key}={_conninfo(value)}" for key, value in settings.items() if value)
        self.connection = pq.PGconn.connect(text.encode())
        if self.connection.status != pq.ConnStatus.OK:
            reason = self.connection.error_message.decode("utf-8", "replace")
            self.connection.finish()
            raise RefusedError("database", connect_reason(reason, address.password))
        self.connection.notice_handler = self._notice
        if self.connection.server_version < 120000:
            raise RefusedError("database", "PostgreSQL before 12 is not supported")
        self.trusted_command(SETTINGS)
        self.is_superuser = self.connection.parameter_status(b"is_superuser") == b"on"
        self.schema_name = default_schema(self.ask)
        self.memory = ServerMemory(self.connection.backend_pid, b"postgres")

    @property
    def is_current(self) -> bool:
        return bool(self.connection.status == pq.ConnStatus.OK)

    def run(
        self,
        sql: str,
        limits: Limits,
        *,
        truncate: bool,
        allowed: Allowed | None,
        options: Mapping[str, bool],
    ) -> Rows:
        if "\0" in sql:
            raise RefusedError("invalid", "it contains a NUL character")
        deadline = time.monotonic() + limits.timeout_s
        self._begin(limits)
        try:
            relations = self._check(sql, allowed)
            if self._may_lower_role(relations):
                self.trusted_command("SET LOCAL ROLE pg_read_all_data")
            return self._rows(limits, deadline, truncate)
        finally:
            self._end()

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        self._begin(limits)
        try:
            return read_schema(self.ask, self.schema_name, allowed, limits if count else None)
        finally:
            self._end()

    def values(
        self, table: str, column: str, limits: Limits, *, rows: int, most: int, longest: int
    ) -> list[Cell]:
        from luciola.sql.identifier import quoted, table_identifier

        name = quoted(column, "postgresql")
        short = f" AND length({name}::text) <= {longest}" if longest else ""
        sql = (
            f"SELECT DISTINCT {name} FROM (SELECT {name} FROM "
            f"{table_identifier(table, 'postgresql', always=True)} LIMIT {rows}) AS looked_at "
            f"WHERE {name} IS NOT NULL{short} LIMIT {most}"
        )
        self._begin(limits)
        try:
            return [row[0] for row in self.ask(sql)]
        except RefusedError as error:  # json and other types without an equality; a slow table
            if error.kind in ("timeout", "invalid"):
                return []
            raise
        finally:
            self._end()

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        self._begin(limits)
        try:
            result = self._done(self.connection.exec_params(sql.encode(), _sent(parameters)))
            return Rows(
                _names(result), [self._row(result, index) for index in range(result.ntuples)]
            )
        finally:
            self._end()

    def close(self) -> None:
        self.connection.finish()

    def ask(self, sql: str, parameters: Sequence[Cell] = ()) -> list[list[Cell]]:
        """The rows of a query of our own. Raises: RefusedError."""
        result = self._done(self.connection.exec_params(sql.encode(), _sent(parameters)))
        return [self._row(result, index) for index in range(result.ntuples)]

    def trusted_command(self, sql: str) -> None:
        """Run commands of our own. Raises: RefusedError."""
        self._done(self.connection.exec_(sql.encode()))

    def _begin(self, limits: Limits) -> None:
        milliseconds = max(1, round(limits.timeout_s * 1000))
        memory = max(1, min(64, limits.max_memory_bytes // (8 * MIB)))
        self.trusted_command(
            f"BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds};"
            f"SET LOCAL lock_timeout = {milliseconds}; SET LOCAL work_mem = '{memory}MB';"
            f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds + 5000}"
        )
        if self.is_superuser:
            self.trusted_command(
                "SET LOCAL temp_file_limit = '1GB'; SET LOCAL log_min_messages = panic"
            )

    def _end(self) -> None:
        """Nothing stays: settings, the prepared query, locks."""
        if self.connection.transaction_status in (
            pq.TransactionStatus.INTRANS,
            pq.TransactionStatus.INERROR,
        ):
            self.connection.exec_(b"ROLLBACK")
            self.connection.exec_(b"DEALLOCATE ALL")
        elif self.connection.transaction_status != pq.TransactionStatus.IDLE:
            self.connection.finish()

    def _notice(self, result: Any) -> None:
        field = pq.DiagnosticField
        primary = (result.error_field(field.MESSAGE_PRIMARY) or b"").decode("utf-8", "replace")
        detail = (result.error_field(field.MESSAGE_DETAIL) or b"").decode("utf-8", "replace")
        self.notices.append((primary, detail))

    def _check(self, sql: str, allowed: Allowed | None) -> list[int]:
        """Prepare the query and let the guard see how the server understands it."""
        self.trusted_command(
            "SET LOCAL debug_pretty_print = off; SET LOCAL debug_print_parse = on;"
            "SET LOCAL client_min_messages = log"
        )
        self.notices.clear()
        self._done(self.connection.prepare(b"luciola", sql.encode("utf-8", "replace")))
        trees = [detail for primary, detail in self.notices if primary == TREE]
        self.notices.clear()
        self.trusted_command(
            "SET LOCAL debug_print_parse = off; SET LOCAL client_min_messages = warning"
        )
        if len(trees) != 1:
            raise RefusedError("invalid", "it holds no query")
        try:
            nodes = read_tree(trees[0])
        except ValueError as error:
            raise RefusedError("forbidden", f"do what is not understood ({error})") from None
        known = catalogue(self.ask, nodes)
        for wish in wishes(nodes, known, frozenset(), self._allows(allowed)):
            raise RefusedError("forbidden", wish)
        return list(known.relations)

    def _allows(self, allowed: Allowed | None) -> Any:
        def allows(schema: str, table: str, column: str | None) -> bool:
            if allowed is None:
                return True
            name = table if schema == self.schema_name else f"{schema}.{table}"
            return allowed.table(name) if column is None else allowed.column(name, column)

        return allows

    def _may_lower_role(self, relations: list[int]) -> bool:
        if not self.is_superuser or self.connection.server_version < 140000:
            return False
        found = self.ask(
            "SELECT 1 FROM pg_class WHERE oid = ANY($1::oid[])"
            " AND (relrowsecurity OR relkind = 'f')",
            ["{" + ",".join(map(str, relations)) + "}"],
        )
        return not found

    def _rows(self, limits: Limits, deadline: float, truncate: bool) -> Rows:
        bounds = Bounds(limits, truncate)
        connection = self.connection
        connection.send_query_prepared(b"luciola", [])
        connection.set_single_row_mode()
        columns: list[str] = []
        complete = False
        try:
            for result in self._results(deadline, limits):
                self._done(result)
                columns = columns or _names(result)
                for index in range(result.ntuples):
                    if not bounds.add(self._row(result, index)):
                        return Rows(columns, bounds.rows, True)
            complete = True
        finally:
            if not complete:
                self._cancel()
        return Rows(columns, bounds.rows, False)

    def _results(self, deadline: float, limits: Limits) -> Iterator[Any]:
        """The rows as they come, each a result of its own."""
        connection = self.connection
        connection.nonblocking = 0
        while True:
            while connection.is_busy():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise RefusedError("timeout")
                if self.memory.used() > limits.max_memory_bytes:
                    raise RefusedError("memory")
                if select.select([connection.socket], [], [], min(left, 0.02))[0]:
                    self._consume()
            result = connection.get_result()
            if result is None:
                return
            yield result
            if time.monotonic() > deadline:
                raise RefusedError("timeout")

    def _consume(self) -> None:
        try:
            self.connection.consume_input()
        except OperationalError as error:
            kind = "size" if "memory" in str(error) else "database"
            raise RefusedError(
                kind, f"the connection was lost: {_first_line(str(error))}"
            ) from None

    def _cancel(self) -> None:
        """Stop the query on the server, and give the connection up: rows may be under way."""
        if self.connection.status == pq.ConnStatus.OK:
            with contextlib.suppress(OperationalError):
                self.connection.get_cancel().cancel()
        self.connection.finish()

    def _done(self, result: Any) -> Any:
        status = pq.ExecStatus
        if result.status in (
            status.COMMAND_OK,
            status.TUPLES_OK,
            status.SINGLE_TUPLE,
            status.EMPTY_QUERY,
        ):
            return result
        field = pq.DiagnosticField
        code = (result.error_field(field.SQLSTATE) or b"").decode()
        text = (result.error_field(field.MESSAGE_PRIMARY) or result.error_message).decode(
            "utf-8", "replace"
        )
        raise RefusedError(_kind(code, text), _wish(code, _first_line(text)))

    def _row(self, result: Any, index: int) -> list[Cell]:
        return [
            _cell(result.get_value(index, column), result.ftype(column))
            for column in range(result.nfields)
        ]


def _kind(code: str, text: str) -> str:
    if code == CANCELLED:
        return "timeout"
    if code in OUT_OF_MEMORY:
        return "memory" if "stack depth" not in text else "invalid"
    if code in (PRIVILEGE, READ_ONLY):
        return "forbidden"
    if code.startswith(LOST):
        return "database"
    if not code:
        return "size" if "memory" in text else "database"
    return "invalid"


def _wish(code: str, text: str) -> str:
    if code == READ_ONLY:
        return "write"
    return (
        text.replace("permission denied for", "read without permission the")
        if code == PRIVILEGE
        else text
    )


def _cell(value: bytes | None, kind: int) -> Cell:
    """As Python has it: numbers, bool, bytes; dates and everything else as the server writes it."""
    if value is None:
        return None
    if kind == 17:
        return bytes.fromhex(value[2:].decode())
    text = value.decode("utf-8", "replace")
    if kind == 16:
        return text == "t"
    if kind == 1700:
        return float(text) if "." in text or not text.lstrip("-").isdigit() else int(text)
    return NUMBERS[kind](text) if kind in NUMBERS else text


def _names(result: Any) -> list[str]:
    return [
        (result.fname(index) or b"").decode("utf-8", "replace") for index in range(result.nfields)
    ]


def _sent(parameters: Sequence[Cell]) -> list[bytes | None] | None:
    found = [None if item is None else str(item).encode() for item in parameters]
    return found or None


def _conninfo(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(". ")
