"""What a query may do in SQLite, asked by SQLite itself while it prepares the statement.

Reading tables and calling functions that touch nothing outside the database; everything else is
refused, above all what is not known here. Source: https://www.sqlite.org/c3ref/c_alter_table.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Reads = Callable[[str, str, str | None, str | None], bool]
"""Whether a read of (table, column, schema, inside which view) is allowed."""
ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
CATALOGUE_PRAGMAS = frozenset(
    {
        "foreign_key_list",
        "index_info",
        "index_list",
        "page_size",
        "schema_version",
        "table_info",
        "table_list",
        "table_xinfo",
        "user_version",
    }
)
"""What only our own queries may ask."""
WRITES = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
HARMLESS_PRAGMAS = frozenset({"data_version"})
"""FTS5 asks this one itself when its index is searched."""
SCHEMA_TABLES = frozenset({"sqlite_master", "sqlite_schema"})
"""Declaring a virtual table such as json_each looks like an update of these. Statements that would
really update them are refused by SQLite by itself."""
FORBIDDEN_FUNCTIONS = frozenset(
    {
        "edit",
        "eval",
        "fsdir",
        "fts3_tokenizer",
        "load_extension",
        "lsdir",
        "lsmode",
        "optimize",
        "readfile",
        "rtreecheck",
        "sqlite_log",
        "writefile",
        "zipfile",
    }
)
WISHES = {
    sqlite3.SQLITE_ALTER_TABLE: "alter a table",
    sqlite3.SQLITE_ANALYZE: "analyze a table",
    sqlite3.SQLITE_ATTACH: "attach another database",
    sqlite3.SQLITE_DELETE: "delete from {first}",
    sqlite3.SQLITE_DETACH: "detach a database",
    sqlite3.SQLITE_FUNCTION: "call {second}()",
    sqlite3.SQLITE_INSERT: "insert into {first}",
    sqlite3.SQLITE_PRAGMA: "run PRAGMA {first}",
    sqlite3.SQLITE_REINDEX: "rebuild an index",
    sqlite3.SQLITE_SAVEPOINT: "set a savepoint",
    sqlite3.SQLITE_TRANSACTION: "begin or end a transaction",
    sqlite3.SQLITE_UPDATE: "update {first}",
}


class Guard:
    """The authoriser of one connection; `refused` says what the last statement wanted, or None."""

    def __init__(self) -> None:
        self.refused: str | None = None
        self.hidden = False
        """Whether the last statement was refused because it reads what it may not see."""
        self._trusts = False
        self._connects = False
        self._reads: Reads | None = None
        self._record: set[tuple[str, str | None]] | None = None

    @contextmanager
    def trusting(self) -> Iterator[None]:
        """While a query of our own runs, which may ask the catalogue."""
        self._trusts = True
        try:
            yield
        finally:
            self._trusts = False

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """As `trusting`, while virtual tables may prepare what they would write with."""
        self._connects = True
        try:
            with self.trusting():
                yield
        finally:
            self._connects = False

    @contextmanager
    def reading(self, allows: Reads) -> Iterator[None]:
        """While a statement is prepared that may read only some columns."""
        self._reads, self.hidden = allows, False
        try:
            yield
        finally:
            self._reads = None

    @contextmanager
    def recording(self) -> Iterator[set[tuple[str, str | None]]]:
        """While a query of our own is prepared: the tables that it reads, and inside which view."""
        found: set[tuple[str, str | None]] = set()
        self._record = found
        try:
            yield found
        finally:
            self._record = None

    def __call__(
        self,
        action: int,
        first: str | None,
        second: str | None,
        schema: str | None,
        via: str | None,
    ) -> int:
        if action == sqlite3.SQLITE_READ and not self._sees(first or "", second or "", schema, via):
            self.hidden = True
            return sqlite3.SQLITE_DENY
        if self._allows(action, first, second):
            return sqlite3.SQLITE_OK
        wish = WISHES.get(action, "change the database")
        if (first or "").startswith("sqlite_") and "{first}" in wish:
            wish = "change the schema"
        self.refused = self.refused or wish.format(first=first, second=second)
        return sqlite3.SQLITE_DENY

    def _sees(self, table: str, column: str, schema: str | None, via: str | None) -> bool:
        if self._record is not None:
            self._record.add((table, via))
        return self._reads is None or self._reads(table, column, schema, via)

    def _allows(self, action: int, first: str | None, second: str | None) -> bool:
        if self._connects and action in WRITES:
            return True
        if action == sqlite3.SQLITE_FUNCTION:
            return (second or "").lower() not in FORBIDDEN_FUNCTIONS
        if action == sqlite3.SQLITE_UPDATE:
            return first in SCHEMA_TABLES
        if action == sqlite3.SQLITE_PRAGMA:
            name = (first or "").lower()
            return name in HARMLESS_PRAGMAS or (self._trusts and name in CATALOGUE_PRAGMAS)
        return action in ALLOWED
