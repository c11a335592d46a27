"""Which reads of a statement are allowed, where only some tables and columns may be read.

SQLite's authoriser is told every column that a statement reads, and inside which view. Three things
it does not tell, which are looked at in the statement's own names:
* a common table expression that is named as a view looks like that view: such a name is refused;
* NATURAL JOIN and USING compare columns without a word: with them, no hidden name may occur;
* `count(*)` of a view is told as if its table were counted: that table's name may not occur then.

The statement is first only prepared (EXPLAIN), under these rules. Then it runs as any other, since
search indexes read their own tables while they run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from luciola.sql.database.allowed import Allowed, folded
from luciola.sql.database.session import RefusedError
from luciola.sql.database.sqlite.guard import Guard
from luciola.sql.database.sqlite.tokens import common_names, names
from luciola.sql.identifier import quoted

OBJECTS = "SELECT name, type, rootpage FROM sqlite_master WHERE type IN ('table', 'view')"
FUNCTIONS = frozenset({"json_each", "json_tree"})
"""Tables that are functions, and read nothing but their arguments."""
OWN = ("sqlite_", "pragma_", "dbstat", "fts", "json_", "bytecode", "tables_used")
"""How the names of tables begin that no file has to hold."""
SAYABLE = (
    'near "',
    "no such function",
    "wrong number of arguments",
    "incomplete input",
    "unrecognized token",
    "You can only execute one statement",
    "misuse of ",
    "too many ",
    "Expression tree is too large",
    "parser stack overflow",
)
"""Errors that tell nothing of the schema."""


class Permission:
    """The rules for one statement."""

    def __init__(self, connection: sqlite3.Connection, guard: Guard, allowed: Allowed) -> None:
        self.allowed = allowed
        with guard.trusting():
            found = connection.execute(OBJECTS).fetchall()
            self.objects = frozenset(folded(str(row[0])) for row in found)
            self.inner = frozenset(_inner_reads(connection, guard, found, allowed))
            self.columns = frozenset(_hidden_columns(connection, allowed))
            """(table, column) of what is hidden in tables of which a part may be read."""
        self.views = frozenset(view for view, _ in self.inner)
        self.common: frozenset[str] = frozenset()
        self.names: frozenset[str] = frozenset()
        self.seen: set[str] = set()

    def check(self, connection: sqlite3.Connection, guard: Guard, sql: str) -> None:
        """Prepare the statement under these rules. Raises: RefusedError; sqlite3.Error."""
        self.common, self.names, self.seen = common_names(sql), names(sql), set()
        if self.common & self.views or self._joins_hidden():
            raise self.refusal()
        try:
            with guard.reading(self.allows):
                connection.execute(f"EXPLAIN {sql}").close()
        except sqlite3.Error as error:
            if guard.hidden or (
                guard.refused is None
                and getattr(error, "sqlite_errorcode", 1) == sqlite3.SQLITE_ERROR
                and not str(error).startswith(SAYABLE)
            ):
                raise self.refusal() from None
            raise

    def refusal(self) -> RefusedError:
        """One sentence for what is hidden and for what is not there, so that it tells nothing."""
        return RefusedError("hidden", str(self.allowed))

    def allows(self, table: str, column: str, schema: str | None, via: str | None) -> bool:
        """Whether this read is allowed; `column` is "" where rows are only counted."""
        name = folded(table)
        if via is not None and (folded(via), name) in self.inner:
            self.seen.add(name)
            return True
        if name in FUNCTIONS and name not in self.objects:
            return True
        if not column:
            if self.allowed.table(name):
                return True
            if name in self.seen and name not in self.names:
                return True
            mine = schema is None and name not in self.objects and not name.startswith(OWN)
            return mine and name in self.common
        return self.allowed.column(name, column)

    def _joins_hidden(self) -> bool:
        """Whether a join compares columns that are not told, where a hidden name occurs."""
        if not self.names & {"natural", "using"}:
            return False
        if any(name.startswith(OWN) and name not in FUNCTIONS for name in self.names):
            return True
        hidden = {name for name in self.objects if not self.allowed.table(name)}
        partly = {table for table, columns in self.allowed.tables.items() if columns is not None}
        columns = {column for table, column in self.columns if table in self.names}
        compared = "natural" in self.names and self.names & partly
        return bool(self.names & (hidden | columns) or compared)


def _inner_reads(
    connection: sqlite3.Connection,
    guard: Guard,
    objects: list[tuple[str, str, int]],
    allowed: Allowed,
) -> Iterator[tuple[str, str]]:
    """(view, table) for what the allowed views read. Virtual tables are connected by the way."""
    for name in FUNCTIONS:
        connection.execute(f"SELECT 1 FROM {name}('[]')").close()
    for name, kind, root in objects:
        if not allowed.table(str(name)) or (kind == "table" and root):
            continue
        try:
            with guard.recording() as reads:
                connection.execute(f"EXPLAIN SELECT * FROM {quoted(str(name))}").close()
        except sqlite3.Error:
            continue
        yield from ((folded(via), folded(table)) for table, via in reads if via is not None)


def _hidden_columns(connection: sqlite3.Connection, allowed: Allowed) -> Iterator[tuple[str, str]]:
    for table, columns in allowed.tables.items():
        if columns is None:
            continue
        for row in connection.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall():
            if folded(str(row[1])) not in columns:
                yield table, folded(str(row[1]))
