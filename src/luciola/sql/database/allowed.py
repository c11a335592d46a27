"""Which tables and columns may be read, where not all may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from luciola.errors import ConfigError


@dataclass(frozen=True)
class Allowed:
    """Names in lower case: a table or view, and its columns that may be read; None: all of them."""

    tables: Mapping[str, frozenset[str] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Iterable[str] = (), columns: Iterable[str] = ()) -> Allowed | None:
        """From names `table` and `table.column`; None where both are empty: all may be read.

        A table of which columns are named is restricted to these.
        Raises: ConfigError for a column without its table.
        """
        found: dict[str, frozenset[str] | None] = {name.lower(): None for name in tables}
        for name in columns:
            table, dot, column = name.lower().partition(".")
            if not (table and dot and column):
                raise ConfigError(
                    f"the column {name!r} is named without its table",
                    remedy="Write table.column, e.g. employee.name.",
                )
            found[table] = (found.get(table) or frozenset()) | {column}
        return cls(found) if found else None

    def table(self, name: str) -> bool:
        """Whether anything of this table may be read."""
        return name.lower() in self.tables

    def column(self, table: str, column: str) -> bool:
        """Whether this column may be read."""
        if table.lower() not in self.tables:
            return False
        columns = self.tables[table.lower()]
        return columns is None or column.lower() in columns

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
