"""tables.json, Spider's and BIRD's list of schemas, as linking and skeletons need it.

Linking reads the names for people (`table_names`, `column_names`), skeletons those of the database
(`..._original`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from luciola.sql.dail.facts import SchemaFacts
from luciola.sql.dail.lemmas import Analyse
from luciola.sql.dail.linking import LinkedSchema
from luciola.sql.dail.skeleton import Names
from luciola.sql.listing import NAMES, SPOKEN, Entry, fault, read_listing

log = logging.getLogger(__name__)


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
    """The schemas of a tables.json by their `db_id`; entries that lack something are left out.

    A database without an entry is read from its own file, so that its prompts can be made.

    Raises: DataError where the file is none.
    """
    found = {}
    for db_id, entry in read_listing(path).items():
        if (problem := fault(entry, (*NAMES, *SPOKEN))) is not None:
            log.warning("%s: the entry %r %s; its database is read instead", path, db_id, problem)
        else:
            found[db_id] = _schema(entry)
    return found


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


def _schema(entry: Entry) -> ListedSchema:
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
