"""A SQLite file as it is: its tables as written, which hold no rows, which text is broken.

Text is looked at in the first 20,000 rows of each table, so that large databases take seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from luciola.errors import DatabaseError
from luciola.sql.checks.finding import Finding
from luciola.sql.database import checked_file, connect_sqlite
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
    try:
        with closing(connect_sqlite(checked_file(path))) as connection:
            tables = tuple(_tables(connection))
            broken = tuple(_broken(connection, tables))
    except sqlite3.Error as error:
        raise DatabaseError(f"{path} cannot be read: {error}") from None
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


def _tables(connection: sqlite3.Connection) -> Iterator[Table]:
    for name, create in connection.execute(TABLES).fetchall():
        if name.lower().startswith("sqlite_"):
            continue
        rows = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
        first = connection.execute(f"SELECT 1 FROM {quoted(name)} LIMIT 1").fetchone()
        yield Table(
            name,
            create or "",
            tuple(Column(row[1], row[2] or "") for row in rows),
            tuple(_keys(connection, name)),
            is_empty=first is None,
        )


def _keys(connection: sqlite3.Connection, name: str) -> Iterator[Key]:
    """A key that names no column means the primary key of the other table."""
    for row in connection.execute(f"PRAGMA foreign_key_list({quoted(name)})").fetchall():
        other, column, target = row[2], row[3], row[4]
        if target is None:
            found = connection.execute(f"PRAGMA table_info({quoted(other)})").fetchall()
            target = next((each[1] for each in found if each[5] == row[1] + 1), "")
        yield Key(column.lower(), other.lower(), target.lower())


def _broken(connection: sqlite3.Connection, tables: tuple[Table, ...]) -> Iterator[str]:
    """Columns in whose first rows a text is no UTF-8; a text that is none becomes an exception."""
    connection.text_factory = _decoded
    for table in tables:
        rows = connection.execute(f"SELECT * FROM {quoted(table.name)} LIMIT {ROWS_READ}")
        bad = {index for row in rows for index, cell in enumerate(row) if cell is BROKEN}
        names = [column.name for column in table.columns]
        yield from (f"{table.name}.{names[index]}" for index in sorted(bad) if index < len(names))


class _Broken:
    """Stands for a text that is not UTF-8."""


BROKEN = _Broken()


def _decoded(raw: bytes) -> str | _Broken:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return BROKEN
