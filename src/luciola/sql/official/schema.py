"""What the official grammar knows of a database: names in lower case, and equal columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from luciola.sql.database.reading import reader
from luciola.sql.identifier import quoted
from luciola.sql.listing import NAMES, Entry, checked, read_listing
from luciola.sql.schema import read_schema

ALL = "__all__"
NEEDED = (*NAMES, "foreign_keys")
"""What of an entry of tables.json the official evaluator reads."""
Equal = Mapping[str, str]
"""From a column to the first column of its group of foreign keys."""


@dataclass(frozen=True)
class Schema:
    """Tables with their columns, in lower case; `equal` joins columns through foreign keys."""

    tables: Mapping[str, Sequence[str]]
    equal: Equal = field(default_factory=dict)
    names: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        columns = {f"{t}.{c}": column_id(t, c) for t, cs in self.tables.items() for c in cs}
        tables = {table: f"__{table}__" for table in self.tables}
        object.__setattr__(self, "names", {"*": ALL, **columns, **tables})


def column_id(table: str, column: str) -> str:
    """The official name of a column, e.g. `__singer.age__`."""
    return f"__{table.lower()}.{column.lower()}__"


def from_sqlite(path: Path, equal: Equal) -> Schema:
    """The schema as SQLite tells it, which is where the official evaluator looks.

    Raises: DatabaseError where the file cannot be read.
    """
    ask = partial(reader().trusted, database=path)
    found = {
        str(name).lower(): [
            str(row[1]).lower() for row in ask(f"PRAGMA table_info({quoted(str(name), 'sqlite')})")
        ]
        for (name,) in ask("SELECT name FROM sqlite_master WHERE type='table'")
    }
    return Schema(found, equal)


def from_entry(entry: Entry) -> Schema:
    """The schema of one entry of tables.json.

    Raises: DataError where the entry lacks something.
    """
    checked(entry, NEEDED)
    tables = [name.lower() for name in entry["table_names_original"]]
    columns: dict[str, list[str]] = {table: [] for table in tables}
    for table, column in entry["column_names_original"]:
        if table >= 0:
            columns[tables[table]].append(column.lower())
    return Schema(columns, equal_columns(entry))


def equal_columns(entry: Entry) -> dict[str, str]:
    """Each column of a foreign key, and the column of smallest index in its group.

    Groups are made by walking over the keys once; two groups that a later key joins stay apart, as
    in the official evaluator.

    Raises: DataError where the entry lacks something.
    """
    checked(entry, NEEDED)
    tables = entry["table_names_original"]
    names = [
        column_id(tables[table], column) if table >= 0 else ALL
        for table, column in entry["column_names_original"]
    ]
    groups: list[set[int]] = []
    for ends in entry["foreign_keys"]:
        group = next((known for known in groups if known & set(ends)), None)
        if group is None:
            groups.append(group := set())
        group.update(ends)
    return {names[index]: names[min(group)] for group in groups for index in sorted(group)}


def declared_equal(path: Path) -> dict[str, str]:
    """The same of the foreign keys that a database declares itself, where there is no tables.json.

    Raises: DatabaseError where the file cannot be read.
    """
    groups: list[list[str]] = []
    for table in read_schema(path).tables:
        for key in table.foreign_keys:
            for column, other in zip(key.columns, key.referred_columns, strict=False):
                ends = [column_id(table.name, column), column_id(key.referred_table, other)]
                group = next((known for known in groups if set(known) & set(ends)), None)
                if group is None:
                    groups.append(group := [])
                group += [end for end in ends if end not in group]
    return {name: min(group) for group in groups for name in group}


def read_tables(path: Path) -> dict[str, Entry]:
    """The entries of a file tables.json by database.

    Raises: DataError where it is not such a file.
    """
    return read_listing(path)
