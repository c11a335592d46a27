"""What DAIL-SQL's prompts show of a SQLite database: names, foreign keys and CREATE TABLE texts.

Everything is in the order in which SQLite gives it, never sorted: of several foreign keys of a
table the one declared last comes first, as in the published prompts. SQLite's own bookkeeping table
`sqlite_sequence` is shown where it exists, as it is there.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from luciola.errors import DatabaseError
from luciola.sql.dail.house import house_lines
from luciola.sql.database import connect_sqlite, sqlite_path
from luciola.sql.identifier import quoted


@dataclass(frozen=True)
class TableFacts:
    """One table; `create` is its CREATE TABLE text to the byte, `house` its house prompt's line,
    or "" where that does not show it.
    """

    name: str
    columns: tuple[str, ...]
    create: str
    house: str = ""


@dataclass(frozen=True)
class SchemaFacts:
    """A database as prompts show it; each foreign key reads `table.column=table.column`."""

    tables: tuple[TableFacts, ...]
    foreign_keys: tuple[str, ...] = ()


def read_facts(database: str | Path) -> SchemaFacts:
    """The facts of a SQLite file.

    Raises: DatabaseError where it is no SQLite file, is broken, or has no tables.
    """
    path = sqlite_path(database)
    if path is None:
        raise DatabaseError(
            f"{database} is no SQLite file", remedy="The prompts of DAIL-SQL are made for SQLite."
        )
    try:
        with closing(connect_sqlite(path)) as connection:
            facts = _read(connection)
    except sqlite3.Error as error:
        raise DatabaseError(f"the schema of {path} cannot be read: {error}") from None
    if not facts.tables:
        raise DatabaseError(f"the database {path} has no tables")
    return facts


def _read(connection: sqlite3.Connection) -> SchemaFacts:
    names = [row[0] for row in connection.execute(TABLES)]
    lines = house_lines(connection, names)
    return SchemaFacts(
        tuple(_table(connection, name, line) for name, line in zip(names, lines, strict=True)),
        tuple(key for name in names for key in _foreign_keys(connection, name)),
    )


TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
CREATE = "SELECT sql FROM sqlite_master WHERE tbl_name = ?"


def _table(connection: sqlite3.Connection, name: str, house: str) -> TableFacts:
    columns = connection.execute(f"PRAGMA table_info({quoted(name)})")
    create = connection.execute(CREATE, (name,)).fetchone()
    return TableFacts(name, tuple(row[1] for row in columns), create[0] or "", house)


def _foreign_keys(connection: sqlite3.Connection, name: str) -> list[str]:
    """As the original writes them; a key that names no column of the other table ends in `None`."""
    found = connection.execute(f"PRAGMA foreign_key_list({quoted(name)})")
    return [f"{name}.{row[3]}={row[2]}.{row[4]}" for row in found]
