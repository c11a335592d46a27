"""A SQLite file as it is: its tables as written, which hold no rows, which text is broken.

Text is looked at in the first 20,000 rows of each table, so that large databases take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from luciola.errors import DatabaseError
from luciola.sql.checks.finding import Finding
from luciola.sql.database.reading import reader
from luciola.sql.identifier import quoted

ROWS_READ = 20_000
TABLES = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
SHOWN = 5


@dataclass(frozen=True)
class Column:
    """A column and its type as declared."""

    name: str
    type: str


@dataclass(frozen=True)
class Key:
    """A foreign key of one column, in lower case; `other_column` is that of the other table."""

    column: str
    other: str
    other_column: str


@dataclass(frozen=True)
class Table:
    """A table; `keys` in the order in which SQLite gives them."""

    name: str
    create: str
    columns: tuple[Column, ...]
    keys: tuple[Key, ...]
    is_empty: bool


@dataclass(frozen=True)
class Contents:
    """A database without SQLite's own tables; `broken` are columns with text that is no UTF-8."""

    db_id: str
    tables: tuple[Table, ...]
    broken: tuple[str, ...] = ()


def read_contents(db_id: str, path: Path) -> Contents:
    """Read a database.

    Raises: DatabaseError where it is no SQLite file, is damaged, or has no tables.
    """
    tables = tuple(_tables(path))
    broken = tuple(_broken(path, tables))
    if not tables:
        raise DatabaseError(f"{path} has no tables")
    return Contents(db_id, tables, broken)


def contents_findings(contents: Contents) -> Iterator[Finding]:
    """Tables without rows, and text that is no UTF-8."""
    empty = [table.name for table in contents.tables if table.is_empty]
    if len(empty) == len(contents.tables):
        said = "holds no row: every query returns nothing or 0, and EX is met by chance"
        yield Finding("empty database", contents.db_id, said)
    elif empty:
        said = f"{len(empty)} of {len(contents.tables)} tables hold no row: {listed(empty)}"
        yield Finding("empty tables", contents.db_id, said)
    for column in contents.broken:
        said = f"{column} holds text that is not UTF-8; its broken bytes are left out"
        yield Finding("text", contents.db_id, said)


def listed(names: list[str]) -> str:
    """The first of several names."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" * (len(names) > SHOWN))


def _tables(path: Path) -> Iterator[Table]:
    ask = partial(reader().trusted, database=path)
    for name, create in ask(TABLES):
        if name.lower().startswith("sqlite_"):
            continue
        rows = ask(f"PRAGMA table_info({quoted(name)})")
        first = ask(f"SELECT 1 FROM {quoted(name)} LIMIT 1")
        yield Table(
            name,
            create or "",
            tuple(Column(row[1], row[2] or "") for row in rows),
            tuple(_keys(path, name)),
            is_empty=not first,
        )


def _keys(path: Path, name: str) -> Iterator[Key]:
    """A key that names no column means the primary key of the other table."""
    ask = partial(reader().trusted, database=path)
    for row in ask(f"PRAGMA foreign_key_list({quoted(name)})"):
        other, column, target = row[2], row[3], row[4]
        if target is None:
            found = ask(f"PRAGMA table_info({quoted(other)})")
            target = next((each[1] for each in found if each[5] == row[1] + 1), "")
        yield Key(column.lower(), other.lower(), target.lower())


def _broken(path: Path, tables: tuple[Table, ...]) -> Iterator[str]:
    """Columns in whose first rows a text is no UTF-8."""
    for table in tables:
        names = [column.name for column in table.columns]
        bad = reader().broken(table.name, database=path, rows=ROWS_READ)
        yield from (f"{table.name}.{names[index]}" for index in bad if index < len(names))
