"""Examples made ready for augmentation from what `luciola.sql` reads of a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from luciola.specialist.augment.example import (
    Blueprint,
    Column,
    Mention,
    Piece,
    Place,
    Prepared,
    Table,
)
from luciola.specialist.augment.pieces import pieces_of
from luciola.specialist.augment.words import split_words
from luciola.sql.schema import Schema
from luciola.sql.schema import Table as SqlTable
from luciola.sql.values import Mention as SqlMention

MOST_VALUES = 12
"""Values kept per column, to exchange literals with."""
Spoken = Mapping[tuple[str, str], str]
"""What people call a (table, column) in words; ("shop", "") for the table itself. May be empty."""


def blueprint(
    name: str, schema: Schema, values: Iterable[SqlMention] = (), spoken: Spoken | None = None
) -> Blueprint:
    """The structure of a database, its names in words."""
    spoken = spoken or {}
    samples: dict[tuple[str, str], list[str]] = {}
    for value in values:
        kept = samples.setdefault((value.table, value.column), [])
        if len(kept) < MOST_VALUES and _exchangeable(value.value):
            kept.append(value.value)
    tables = tuple(_table(table, samples, spoken) for table in schema.tables)
    return Blueprint(name, tables, tuple(_links(schema)))


def prepared(
    schema: Blueprint,
    question: str,
    sql: str,
    mentions: Sequence[SqlMention] = (),
    *,
    dialect: str = "sqlite",
) -> Prepared:
    """One training example.

    Raises: UnresolvedSqlError where the SQL does not fit the schema.
    """
    pieces = pieces_of(sql, schema, dialect)
    return Prepared(schema, question, pieces, _mentions(schema, mentions))


def asked(schema: Blueprint, question: str, mentions: Sequence[SqlMention] = ()) -> Prepared:
    """A question to be answered: an example without its answer."""
    nothing: tuple[Piece, ...] = ()
    return Prepared(schema, question, nothing, _mentions(schema, mentions))


def _table(table: SqlTable, samples: Mapping[tuple[str, str], list[str]], spoken: Spoken) -> Table:
    columns = tuple(
        Column(
            column.name,
            _words(column.name, spoken.get((table.name, column.name), "")),
            _kind(column.type),
            column.primary_key,
            tuple(samples.get((table.name, column.name), ())),
        )
        for column in table.columns
    )
    return Table(table.name, _words(table.name, spoken.get((table.name, ""), "")), columns)


def _words(name: str, spoken: str) -> tuple[str, ...]:
    """The spoken words if they begin as the name does (some data sets mix rows up), else the
    name's.
    """
    words = tuple(part for word in spoken.lower().split() if (part := _letters(word)))
    if words and words[0][0] == name[0].lower():
        return words
    return split_words(name)


def _letters(word: str) -> str:
    return "".join(letter for letter in word if letter.isalnum())


def _kind(declared: str) -> str:
    declared = declared.upper()
    if any(part in declared for part in ("INT", "REAL", "FLOA", "DOUB", "NUM", "DEC")):
        return "number"
    if any(part in declared for part in ("DATE", "TIME", "YEAR")):
        return "time"
    return "boolean" if "BOOL" in declared else "text"


def _exchangeable(value: str) -> bool:
    plain = value.replace(" ", "").replace(".", "").replace(",", "").replace("-", "")
    return 1 < len(value) <= 30 and value == value.strip() and plain.isalnum()


def _links(schema: Schema) -> Iterable[tuple[Place, Place]]:
    places = {
        (table.name.lower(), column.name.lower()): (t, c)
        for t, table in enumerate(schema.tables)
        for c, column in enumerate(table.columns)
    }
    for table in schema.tables:
        for key in table.foreign_keys:
            pairs = zip(key.columns, key.referred_columns, strict=False)
            for column, referred in pairs:
                child = places.get((table.name.lower(), column.lower()))
                parent = places.get((key.referred_table.lower(), referred.lower()))
                if child and parent and child != parent:
                    yield child, parent


def _mentions(schema: Blueprint, mentions: Sequence[SqlMention]) -> tuple[Mention, ...]:
    places = {
        (table.name, column.name): (t, c)
        for t, table in enumerate(schema.tables)
        for c, column in enumerate(table.columns)
    }
    found = ((places.get((m.table, m.column)), m.value) for m in mentions)
    return tuple(Mention(place[0], place[1], value) for place, value in found if place)
