"""The schema of a SQLite file, from its PRAGMAs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from luciola.sql.identifier import quoted
from luciola.sql.schema import Column, ForeignKey, Schema, Table

HIDDEN = 1
"""How table_xinfo marks a column that only a virtual table's module uses."""
OBJECTS = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"


def read(connection: sqlite3.Connection, count: Callable[[str], int | None]) -> Schema:
    """Tables in order of creation (related ones were mostly made together), and views.

    Without SQLite's own tables and those in which its search indexes keep their data. What only an
    extension could read, a virtual table of an unknown module, is named with the reason.
    Args:
        count: the rows of a table; None where that takes too long.

    Raises: sqlite3.Error.
    """
    listed = connection.execute("PRAGMA table_list").fetchall()
    shadow = {row[1] for row in listed if row[0] == "main" and row[2] == "shadow"}
    found = [
        (str(name), kind)
        for name, kind in connection.execute(OBJECTS).fetchall()
        if name not in shadow and not str(name).lower().startswith("sqlite_")
    ]
    names = [name for name, kind in found if kind == "table"]
    columns: dict[str, list[Sequence[Any]]] = {}
    unreadable = []
    for name in names:
        try:
            columns[name] = _columns(connection, name)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
                raise
            unreadable.append(f"{name} ({error})")
    names = list(columns)
    keys = {name.lower(): _primary_key(rows) for name, rows in columns.items()}
    tables = tuple(
        Table(
            name=name,
            columns=tuple(_column(row) for row in columns[name]),
            primary_key=keys[name.lower()],
            foreign_keys=tuple(_foreign_keys(connection, name, keys)),
            rows=count(name),
        )
        for name in names
    )
    views = tuple(_views(connection, [name for name, kind in found if kind == "view"]))
    return Schema("sqlite", tables, views, tuple(unreadable))


def _columns(connection: sqlite3.Connection, table: str) -> list[Sequence[Any]]:
    """With generated columns, which can be asked for, and without those that modules hide."""
    found = connection.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
    return [row for row in found if row[6] != HIDDEN]


def _column(row: Sequence[Any]) -> Column:
    is_key = bool(row[5])
    return Column(str(row[1]), str(row[2]).upper(), not row[3] and not is_key, is_key)


def _primary_key(rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    return tuple(row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5])


def _foreign_keys(
    connection: sqlite3.Connection, name: str, keys: dict[str, tuple[str, ...]]
) -> list[ForeignKey]:
    """A key that names no columns of the other table means its primary key."""
    rows = connection.execute(f"PRAGMA foreign_key_list({quoted(name)})").fetchall()
    found = []
    for _, parts in groupby(rows, key=lambda row: row[0]):
        columns = sorted(parts, key=lambda row: row[1])
        named = tuple(row[4] for row in columns if row[4] is not None)
        other = columns[0][2]
        referred = named or keys.get(other.lower(), ())
        found.append(ForeignKey(tuple(row[3] for row in columns), other, referred))
    return sorted(found, key=lambda key: key.columns)


def _views(connection: sqlite3.Connection, names: Sequence[str]) -> Iterator[Table]:
    """Views that can be read; one of a table that is gone cannot."""
    for name in names:
        try:
            columns = _columns(connection, name)
        except sqlite3.OperationalError:
            continue
        yield Table(name, tuple(_column(row) for row in columns), rows=None)
