"""The lines of the house prompt for the facts of a SQLite file.

They equal those of `luciola.sql.prompt.schema_text`, but rows are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from luciola.sql.identifier import quoted
from luciola.sql.prompt import table_line
from luciola.sql.schema import Column, ForeignKey, Schema, Table

Row = tuple[int, str, str, int, str, int]
"""(number, name, type, not null, default, place in the primary key) of a column"""
Ask = Callable[[str], Sequence[Any]]
"""Runs a query of ours on the database and gives its rows."""
HIDDEN = 1


def house_lines(ask: Ask, names: Sequence[str]) -> list[str]:
    """One line per table: ` shop: id*, city, owner_id -> owner.id`.

    "" for what SQLite and its search indexes keep for themselves: published prompts alone show it.
    """
    listed = ask("PRAGMA table_list")
    inner = {row[1] for row in listed if row[2] == "shadow" or row[1].startswith("sqlite_")}
    rows = {name: _columns(ask, name) for name in names}
    keys = {name.lower(): _primary_key(found) for name, found in rows.items()}
    tables = tuple(
        Table(
            name=name,
            columns=tuple(Column(row[1], primary_key=bool(row[5])) for row in found),
            primary_key=keys[name.lower()],
            foreign_keys=_foreign_keys(ask, name, keys),
        )
        for name, found in rows.items()
    )
    schema = Schema("sqlite", tables)
    return ["" if table.name in inner else table_line(schema, table) for table in tables]


def _pragma(what: str, name: str) -> str:
    return f"PRAGMA {what}({quoted(name)})"


def _columns(ask: Ask, name: str) -> list[Row]:
    """With generated columns, which can be asked for, and without those that modules hide."""
    found = ask(_pragma("table_xinfo", name))
    return [row[:6] for row in found if row[6] != HIDDEN]


def _primary_key(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5])


def _foreign_keys(ask: Ask, name: str, keys: dict[str, tuple[str, ...]]) -> tuple[ForeignKey, ...]:
    """A key that names no columns of the other table means its primary key."""
    rows = ask(_pragma("foreign_key_list", name))
    found = []
    for _, parts in groupby(rows, key=lambda row: row[0]):
        columns = sorted(parts, key=lambda row: row[1])
        named = tuple(row[4] for row in columns if row[4] is not None)
        other = columns[0][2]
        referred = named or keys.get(other.lower(), ())
        found.append(ForeignKey(tuple(row[3] for row in columns), other, referred))
    return tuple(sorted(found, key=lambda key: key.columns))
