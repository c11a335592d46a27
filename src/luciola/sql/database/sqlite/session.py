"""A session on a SQLite file: one read-only connection with its guard and its clock."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from luciola.sql.database.allowed import Allowed, folded
from luciola.sql.database.bounds import counted_bytes
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError, Rows
from luciola.sql.database.sqlite import catalogue, opening
from luciola.sql.database.sqlite.guard import Guard
from luciola.sql.database.sqlite.permission import Permission
from luciola.sql.database.sqlite.tokens import double_quoted, names, without_double_quotes
from luciola.sql.identifier import quoted
from luciola.sql.schema import Schema

STEPS_PER_CHECK = 2_000
"""Steps of SQLite's virtual machine between two looks at the clock, well below a millisecond."""
VIRTUAL = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage = 0"
UNREADABLE_LOG = (sqlite3.SQLITE_READONLY_CANTINIT, sqlite3.SQLITE_READONLY_RECOVERY)
SHOWN_TABLES = 3
CUT = 200
"""Characters or bytes of a value that is only shown."""
SQL_BYTES = 4 * MIB
"""Of a query: a list of 300,000 numbers has 2 MiB."""
COUNT_S = 3.0
"""Seconds for counting the rows of one table."""
KINDS = {
    sqlite3.SQLITE_INTERRUPT: "timeout",
    sqlite3.SQLITE_TOOBIG: "size",
    sqlite3.SQLITE_NOMEM: "memory",
    sqlite3.SQLITE_FULL: "memory",
    sqlite3.SQLITE_AUTH: "forbidden",
    sqlite3.SQLITE_READONLY: "forbidden",
    sqlite3.SQLITE_BUSY: "database",
    sqlite3.SQLITE_CANTOPEN: "database",
    sqlite3.SQLITE_CORRUPT: "database",
    sqlite3.SQLITE_IOERR: "database",
    sqlite3.SQLITE_LOCKED: "database",
    sqlite3.SQLITE_NOTADB: "database",
}


def open_session(database: str, limits: Limits) -> SqliteSession:
    """A session on the file of that path. Raises: RefusedError."""
    return SqliteSession(Path(database), limits)


class SqliteSession:
    """One connection with its guard and its clock."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.guard = Guard()
        self.deadline = float("inf")
        self.connected = -1
        self.has_virtual: bool | None = None
        self.state = opening.state(path)
        with self._errors():
            self.connection = opening.connect(path)
            self.connection.execute("PRAGMA temp_store=MEMORY")  # sorting counts as memory
            self.connection.execute("PRAGMA trusted_schema=OFF")
            self.connection.execute(f"PRAGMA hard_heap_limit={limits.max_memory_bytes}")
            _set_limits(self.connection, limits)
            self.connection.set_authorizer(self.guard)
            self.connection.set_progress_handler(self._is_late, STEPS_PER_CHECK)

    @property
    def is_current(self) -> bool:
        return self.state == opening.state(self.path)

    def run(
        self,
        sql: str,
        limits: Limits,
        *,
        truncate: bool,
        allowed: Allowed | None,
        options: Mapping[str, bool],
    ) -> Rows:
        if len(sql.encode("utf-8", "replace")) > SQL_BYTES:
            raise RefusedError("invalid", f"it has more than {SQL_BYTES // MIB} MiB")
        with self._within(limits):
            try:
                return self._run(sql, limits, truncate, allowed, options)
            except RefusedError as error:
                if error.kind != "forbidden" or not self.has_virtual:
                    raise
                self.connected = -1  # SQLite forgets virtual tables after some errors
                return self._run(sql, limits, truncate, allowed, options)

    def _run(
        self,
        sql: str,
        limits: Limits,
        truncate: bool,
        allowed: Allowed | None,
        options: Mapping[str, bool],
    ) -> Rows:
        with self._errors():
            with self.guard.connecting():
                self._connect_virtual_tables()
            self.guard.refused = None
            if allowed is not None:
                Permission(self.connection, self.guard, allowed).check(
                    self.connection, self.guard, sql
                )
            if options.get("strict_quotes"):
                self._check_quotes(sql)
            return self._rows(sql, (), limits, truncate, first=options.get("first_row", False))

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        with self._errors(), self._within(limits), self.guard.connecting():
            end = time.monotonic() + limits.timeout_s
            return catalogue.read(self.connection, lambda t: self._count(t, end) if count else None)

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
        name, where = quoted(column), quoted(table)
        sql = (
            f"SELECT DISTINCT {name} AS v FROM (SELECT {name} FROM {where} LIMIT {rows})"
            f" WHERE {name} IS NOT NULL LIMIT {most}"
        )
        if longest:
            sql = f"SELECT v FROM ({sql}) WHERE typeof(v) <> 'text' OR length(v) <= {longest}"
        else:
            sql = f"SELECT iif(typeof(v) IN ('text', 'blob'), substr(v, 1, {CUT}), v) FROM ({sql})"
        found: list[Cell] = []
        try:
            with self._errors(), self._within(limits), self.guard.connecting():
                for (value,) in self.connection.execute(sql):
                    found.append(value)
        except RefusedError as error:
            if error.kind not in ("timeout", "size", "memory") or not found:
                raise
        return found

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        with self._errors(), self._within(limits), self.guard.connecting():
            return self._rows(sql, parameters, limits, truncate=False)

    def broken(self, table: str, limits: Limits, *, rows: int) -> list[int]:
        """The indices of columns in whose first rows a text is not UTF-8."""
        readable = self.connection.text_factory
        self.connection.text_factory = _decoded
        try:
            with self._errors(), self._within(limits), self.guard.connecting():
                found = self.connection.execute(f"SELECT * FROM {quoted(table)} LIMIT {rows}")
                bad = {i for row in found for i, cell in enumerate(row) if cell is BROKEN}
        finally:
            self.connection.text_factory = readable
        return sorted(bad)

    def close(self) -> None:
        self.connection.close()

    def _check_quotes(self, sql: str) -> None:
        """Refuse a "name" that is none: SQLite would take it for a text without a word.

        SQLite does so with double quotes alone, so the query is prepared with others.
        """
        quoted_names = double_quoted(sql)
        if not quoted_names:
            return
        try:
            self.connection.execute(f"EXPLAIN {without_double_quotes(sql)}").close()
        except sqlite3.Error as error:
            missing = str(error).removeprefix("no such column: ")
            if missing == str(error) or folded(missing) not in quoted_names:
                return  # whatever it is, SQLite says it of the query as it was written
            name = quoted_names[folded(missing)]
            where = ", ".join(self._tables_of(sql)) or "the tables that are asked"
            detail = f'"{name}" is no column of {where}; a text is written with single quotes'
            raise RefusedError("name", detail) from None

    def _tables_of(self, sql: str) -> list[str]:
        """The tables and views whose names occur in a query."""
        used = names(sql)
        with self.guard.trusting():
            found = self.connection.execute(catalogue.OBJECTS).fetchall()
        return [str(name) for name, _ in found if folded(str(name)) in used][:SHOWN_TABLES]

    def _connect_virtual_tables(self) -> None:
        """Let R-trees and search indexes prepare their own statements, writes among them.

        They do so once, when they are first named, and a read-only connection never runs them.
        """
        if self.has_virtual is False:
            return
        (version,) = self.connection.execute("PRAGMA schema_version").fetchone()
        if version == self.connected:
            return
        found = self.connection.execute(VIRTUAL).fetchall()
        self.has_virtual, self.connected = bool(found), version
        for (name,) in found:
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute(f"EXPLAIN SELECT * FROM {quoted(str(name))}").close()

    def _rows(
        self,
        sql: str,
        parameters: Sequence[Cell],
        limits: Limits,
        truncate: bool,
        first: bool = False,
    ) -> Rows:
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql, parameters)
            if cursor.description is None:
                raise RefusedError("invalid", "it holds no query")
            rows, truncated = _fetch(cursor, limits, truncate, first)
            return Rows([column[0] for column in cursor.description], rows, truncated)
        finally:
            cursor.close()

    def _count(self, table: str, end: float) -> int | None:
        """The rows of a table, where that takes no more than half the time that is left."""
        now, before = time.monotonic(), self.deadline
        self.deadline = min(now + COUNT_S, now + (end - now) / 2)
        try:
            found = self.connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()
        except sqlite3.Error:  # too slow, or a virtual table whose module is not there
            return None
        finally:
            self.deadline = before
        return int(found[0])

    @contextmanager
    def _within(self, limits: Limits) -> Iterator[None]:
        self.deadline = time.monotonic() + limits.timeout_s
        try:
            yield
        finally:
            self.deadline = float("inf")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What SQLite says, as a kind and a sentence."""
        self.guard.refused = None
        self.guard.hidden = False
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            if self.guard.refused is not None:
                raise RefusedError("forbidden", self.guard.refused) from None
            code = getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR
            if code == sqlite3.SQLITE_READONLY_ROLLBACK:
                raise RefusedError("journal", opening.beside(self.path, "-journal").name) from None
            if code in UNREADABLE_LOG:
                raise RefusedError("log", opening.beside(self.path, "-wal").name) from None
            raise RefusedError(KINDS.get(code & 0xFF, "invalid"), str(error)) from None

    def _is_late(self) -> bool:
        return time.monotonic() > self.deadline


def _fetch(
    cursor: sqlite3.Cursor, limits: Limits, truncate: bool, first: bool
) -> tuple[list[list[Cell]], bool]:
    """The rows; with `first` only the first of them, while all are read within the limits."""
    rows: list[list[Cell]] = []
    left = limits.max_result_bytes
    for number, row in enumerate(cursor):
        if number == limits.max_rows:
            if truncate:
                return rows, True
            raise RefusedError("rows")
        left -= sum(map(counted_bytes, row))
        if left < 0:
            raise RefusedError("size")
        if not (first and rows):
            rows.append(row)
    return rows, False


def _set_limits(connection: sqlite3.Connection, limits: Limits) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.max_result_bytes)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 100)
    connection.setlimit(sqlite3.SQLITE_LIMIT_VDBE_OP, 10_000_000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)


class _Broken:
    """Stands for a text that is not UTF-8."""


BROKEN = _Broken()


def _decoded(raw: bytes) -> str | _Broken:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return BROKEN
