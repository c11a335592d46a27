"""A session on a SQLite file: one read-only connection with its guard and its clock."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError, Rows
from luciola.sql.database.sqlite import catalogue, opening
from luciola.sql.database.sqlite.guard import Guard
from luciola.sql.identifier import quoted
from luciola.sql.schema import Schema

STEPS_PER_CHECK = 2_000
"""Steps of SQLite's virtual machine between two looks at the clock, well below a millisecond."""
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
        if allowed is not None:
            raise RefusedError("forbidden", "read a part of the database alone: not possible yet")
        with self._errors(), self._within(limits):
            return self._rows(sql, (), limits, truncate)

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        with self._errors(), self._within(limits), self.guard.trusting():
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
        found: list[Cell] = []
        try:
            with self._errors(), self._within(limits), self.guard.trusting():
                for (value,) in self.connection.execute(sql):
                    found.append(value)
        except RefusedError as error:
            if error.kind not in ("timeout", "size", "memory") or not found:
                raise
        return found

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        with self._errors(), self._within(limits), self.guard.trusting():
            return self._rows(sql, parameters, limits, truncate=False)

    def broken(self, table: str, limits: Limits, *, rows: int) -> list[int]:
        """The indices of columns in whose first rows a text is not UTF-8."""
        readable = self.connection.text_factory
        self.connection.text_factory = _decoded
        try:
            with self._errors(), self._within(limits), self.guard.trusting():
                found = self.connection.execute(f"SELECT * FROM {quoted(table)} LIMIT {rows}")
                bad = {i for row in found for i, cell in enumerate(row) if cell is BROKEN}
        finally:
            self.connection.text_factory = readable
        return sorted(bad)

    def close(self) -> None:
        self.connection.close()

    def _rows(self, sql: str, parameters: Sequence[Cell], limits: Limits, truncate: bool) -> Rows:
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql, parameters)
            if cursor.description is None:
                raise RefusedError("invalid", "it holds no query")
            rows, truncated = _fetch(cursor, limits, truncate)
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
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            if self.guard.refused is not None:
                raise RefusedError("forbidden", self.guard.refused) from None
            code = getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR
            raise RefusedError(KINDS.get(code & 0xFF, "invalid"), str(error)) from None

    def _is_late(self) -> bool:
        return time.monotonic() > self.deadline


def _fetch(cursor: sqlite3.Cursor, limits: Limits, truncate: bool) -> tuple[list[list[Cell]], bool]:
    rows: list[list[Cell]] = []
    left = limits.max_result_bytes
    for row in cursor:
        if len(rows) == limits.max_rows:
            if truncate:
                return rows, True
            raise RefusedError("rows")
        left -= sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
        if left < 0:
            raise RefusedError("size")
        rows.append(row)
    return rows, False


def _set_limits(connection: sqlite3.Connection, limits: Limits) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limits.max_result_bytes)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, MIB)
    connection.setlimit(sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 200)
    connection.setlimit(sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 100)
    connection.setlimit(sqlite3.SQLITE_LIMIT_VDBE_OP, 1_000_000)
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
