"""What DAIL-SQL's prompts show of a SQLite database: names, foreign keys and CREATE TABLE texts.

Everything is in the order in which SQLite gives it, never sorted: of several foreign keys of a
table the one declared last comes first, as in the published prompts. SQLite's own bookkeeping table
`sqlite_sequence` is shown where it exists, as it is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from luciola.errors import DatabaseError
from luciola.sql.dail.house import house_lines
from luciola.sql.database.address import sqlite_path
from luciola.sql.database.reading import reader
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
    facts = _read(partial(reader().trusted, database=path))
    if not facts.tables:
        raise DatabaseError(f"the database {path} has no tables")
    return facts


def _read(ask: Any) -> SchemaFacts:
    names = [row[0] for row in ask(TABLES)]
    lines = house_lines(ask, names)
    return SchemaFacts(
        tuple(_table(ask, name, line) for name, line in zip(names, lines, strict=True)),
        tuple(key for name in names for key in _foreign_keys(ask, name)),
    )


TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
CREATE = "SELECT sql FROM sqlite_master WHERE tbl_name = ?"


def _table(ask: Any, name: str, house: str) -> TableFacts:
    columns = ask(f"PRAGMA table_info({quoted(name)})")
    create = ask(CREATE, (name,))[0]
    return TableFacts(name, tuple(row[1] for row in columns), create[0] or "", house)


def _foreign_keys(ask: Any, name: str) -> list[str]:
    """As the original writes them; a key that names no column of the other table ends in `None`."""
    found = ask(f"PRAGMA foreign_key_list({quoted(name)})")
    return [f"{name}.{row[3]}={row[2]}.{row[4]}" for row in found]
