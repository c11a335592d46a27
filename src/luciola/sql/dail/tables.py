"""tables.json, Spider's and BIRD's list of schemas, as linking and skeletons need it.

Linking reads the names for people (`table_names`, `column_names`), skeletons those of the database
(`..._original`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from luciola.errors import DataError
from luciola.sql.dail.facts import SchemaFacts
from luciola.sql.dail.lemmas import Analyse
from luciola.sql.dail.linking import LinkedSchema
from luciola.sql.dail.skeleton import Names


@dataclass(frozen=True)
class ListedSchema:
    """One entry; the name of each column in the database stands with its table's, "" for `*`."""

    db_id: str
    tables: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    shown_tables: tuple[str, ...]
    shown_columns: tuple[str, ...]
    types: tuple[str, ...]

    @cached_property
    def names(self) -> Names:
        return Names(self.tables, tuple(column for _, column in self.columns))

    def linked(self, analyse: Analyse) -> LinkedSchema:
        """The names for people as lemmas."""
        return LinkedSchema(
            columns=tuple(" ".join(analyse(name)[1]) for name in self.shown_columns),
            types=self.types,
            tables=tuple(" ".join(analyse(name)[1]) for name in self.shown_tables),
        )


def read_tables(path: str | Path) -> dict[str, ListedSchema]:
    """The schemas of a tables.json by their `db_id`.

    Raises: DataError where the file is none.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
        found = [_schema(entry) for entry in entries]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"cannot be read: {error}", path=path) from error
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"is no tables.json: {type(error).__name__} {error}",
            path=path,
            remedy="Give Spider's tables.json, a list of entries with db_id and column_names.",
        ) from error
    return {schema.db_id: schema for schema in found}


def listed(db_id: str, facts: SchemaFacts) -> ListedSchema:
    """The same from a SQLite file, for a database that no tables.json lists; types are unknown."""
    columns = [(table.name, column) for table in facts.tables for column in table.columns]
    return ListedSchema(
        db_id=db_id,
        tables=tuple(table.name for table in facts.tables),
        columns=(("", "*"), *columns),
        shown_tables=tuple(_spoken(table.name) for table in facts.tables),
        shown_columns=("*", *(_spoken(column) for _, column in columns)),
        types=("text",) * (len(columns) + 1),
    )


def differences(schema: ListedSchema, facts: SchemaFacts) -> list[str]:
    """What tables.json names and the database lacks."""
    present = {
        (table.name.lower(), column.lower()) for table in facts.tables for column in table.columns
    }
    wanted = [(table, column) for table, column in schema.columns if table]
    return [
        f"{table}.{column}"
        for table, column in wanted
        if (table.lower(), column.lower()) not in present
    ]


def _schema(entry: Mapping[str, Any]) -> ListedSchema:
    tables = tuple(entry["table_names_original"])
    return ListedSchema(
        db_id=entry["db_id"],
        tables=tables,
        columns=tuple(
            ("" if index < 0 else tables[index], name)
            for index, name in entry["column_names_original"]
        ),
        shown_tables=tuple(entry["table_names"]),
        shown_columns=tuple(name for _, name in entry["column_names"]),
        types=tuple(entry["column_types"]),
    )


def _spoken(name: str) -> str:
    return name.replace("_", " ")
