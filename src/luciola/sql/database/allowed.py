"""Which tables and columns may be read, where not all may."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from luciola.errors import ConfigError
from luciola.sql.schema import Schema, Table

ASCII_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def folded(name: str) -> str:
    """A name in lower case, as SQLite compares names: letters of ASCII alone."""
    return name.translate(ASCII_UPPER)


@dataclass(frozen=True)
class Allowed:
    """Names in lower case: a table or view, and its columns that may be read; None: all of them."""

    tables: Mapping[str, frozenset[str] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Iterable[str] = (), columns: Iterable[str] = ()) -> Allowed | None:
        """From names `table` and `table.column`; None where both are empty: all may be read.

        A table of which columns are named is restricted to these. The column stands behind the
        last dot, `schema.table.column`; one that holds a dot itself is quoted, `table."a.b"`.
        Raises: ConfigError for a column without its table.
        """
        found: dict[str, frozenset[str] | None] = {folded(name): None for name in tables}
        for name in columns:
            table, column = _table_and_column(folded(name))
            if not (table and column):
                raise ConfigError(
                    f"the column {name!r} is named without its table",
                    remedy="Write table.column, e.g. employee.name.",
                )
            found[table] = (found.get(table) or frozenset()) | {column}
        return cls(found) if found else None

    def table(self, name: str) -> bool:
        """Whether anything of this table may be read."""
        return folded(name) in self.tables

    def column(self, table: str, column: str) -> bool:
        """Whether this column may be read."""
        if folded(table) not in self.tables:
            return False
        columns = self.tables[folded(table)]
        return columns is None or folded(column) in columns

    def __str__(self) -> str:
        """As a sentence names it: `shop, employee (id, name)`."""
        return ", ".join(
            table if columns is None else f"{table} ({', '.join(sorted(columns))})"
            for table, columns in self.tables.items()
        )

    def to_json(self) -> list[list[object]]:
        """As it is sent to a worker."""
        return [
            [table, None if columns is None else sorted(columns)]
            for table, columns in self.tables.items()
        ]

    @classmethod
    def from_json(cls, sent: Iterable[tuple[str, list[str] | None]] | None) -> Allowed | None:
        """What `to_json` wrote."""
        if sent is None:
            return None
        return cls({table: None if names is None else frozenset(names) for table, names in sent})


def _table_and_column(name: str) -> tuple[str, str]:
    quoted = re.fullmatch(r'(.+)\."((?:[^"]|"")+)"', name)
    if quoted:
        return quoted[1], quoted[2].replace('""', '"')
    table, _, column = name.rpartition(".")
    return table, column


def restricted(schema: Schema, allowed: Allowed, database: str) -> Schema:
    """What of a schema may be seen; a view that is allowed stands among the tables.

    Foreign keys stay where both ends may be seen.
    Raises: ConfigError for a name that is not in the schema.
    """
    there = {folded(table.name): table for table in (*schema.tables, *schema.views)}
    for name, columns in allowed.tables.items():
        if name not in there:
            raise ConfigError(
                f"{database} has no table or view {name!r}",
                remedy=f"Allow some of {first([table.name for table in there.values()])}.",
            )
        for column in columns or ():
            if there[name].column(column) is None:
                has = first([each.name for each in there[name].columns])
                raise ConfigError(f"{name} has no column {column!r}", remedy=f"It has {has}.")
    seen = tuple(_part(table, allowed) for table in there.values() if allowed.table(table.name))
    return Schema(schema.dialect, seen)


def first(names: Sequence[str], most: int = 12) -> str:
    """The first of several names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _part(table: Table, allowed: Allowed) -> Table:
    columns = tuple(each for each in table.columns if allowed.column(table.name, each.name))
    names = {column.name for column in columns}
    keys = (
        key
        for key in table.foreign_keys
        if names.issuperset(key.columns)
        and all(allowed.column(key.referred_table, name) for name in key.referred_columns)
        and allowed.table(key.referred_table)
    )
    primary = table.primary_key if names.issuperset(table.primary_key) else ()
    return replace(table, columns=columns, primary_key=primary, foreign_keys=tuple(keys))
