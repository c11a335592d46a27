"""The working copy of one example that the augmentations change, and what of it the answer uses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from luciola.specialist.augment.example import (
    Column,
    ColumnRef,
    Piece,
    Place,
    Prepared,
    Table,
    TableRef,
)
from luciola.specialist.augment.words import lemma

_TOKENS = re.compile(r"[^\W_]+|[\W_]")


@dataclass(eq=False, slots=True)
class DraftColumn:
    """A column whose name may still change; compared by identity."""

    name: str
    words: tuple[str, ...]
    kind: str
    key: bool
    values: tuple[str, ...]

    @classmethod
    def of(cls, column: Column) -> DraftColumn:
        return cls(column.name, column.words, column.kind, column.key, column.values)


@dataclass(eq=False, slots=True)
class DraftTable:
    """A table whose name and columns may still change; compared by identity."""

    name: str
    words: tuple[str, ...]
    columns: list[DraftColumn]

    @classmethod
    def of(cls, table: Table) -> DraftTable:
        return cls(table.name, table.words, [DraftColumn.of(column) for column in table.columns])


@dataclass(slots=True)
class Draft:
    """One example under change.

    Args:
        tables: those in the schema text, in its order.
        table_at, column_at: the tables and columns that the pieces and mentions point to.
        links: foreign keys as (child table, child column, parent table, parent column).
        question: its tokens; joined they are the question again.
        pieces: the answer.
        mentions: (place, value) of cell values that the question names.
        used_tables: indices the answer refers to.
        asked: columns that the answer uses for more than joining.
        joining: columns that only join.
        renamed: some word was exchanged, so that no name can be kept as it was spelt.
    """

    tables: list[DraftTable]
    table_at: list[DraftTable]
    column_at: dict[Place, DraftColumn]
    links: list[tuple[DraftTable, DraftColumn, DraftTable, DraftColumn]]
    question: list[str]
    pieces: list[Piece]
    mentions: list[tuple[Place, str]]
    used_tables: set[int] = field(default_factory=set)
    asked: set[Place] = field(default_factory=set)
    joining: set[Place] = field(default_factory=set)
    renamed: bool = False

    @classmethod
    def of(cls, example: Prepared) -> Draft:
        tables = [DraftTable.of(table) for table in example.schema.tables]
        places = {
            (t, c): column
            for t, table in enumerate(tables)
            for c, column in enumerate(table.columns)
        }
        links = [
            (tables[a[0]], places[a], tables[b[0]], places[b]) for a, b in example.schema.links
        ]
        draft = cls(
            list(tables), tables, places, links, _TOKENS.findall(example.question),
            list(example.pieces), [((m.table, m.column), m.value) for m in example.mentions],
        )  # fmt: skip
        draft._note_what_is_used()
        return draft

    def _note_what_is_used(self) -> None:
        for piece in self.pieces:
            if isinstance(piece, TableRef):
                self.used_tables.add(piece.table)
            elif isinstance(piece, ColumnRef):
                self.used_tables.add(piece.table)
                target = self.joining if piece.structural else self.asked
                target.add((piece.table, piece.column))
        self.joining -= self.asked

    def kept_columns(self) -> set[int]:
        """Identities of columns that must stay: used, mentioned, or in a foreign key."""
        places = self.asked | self.joining | {place for place, _ in self.mentions}
        kept = {id(self.column_at[place]) for place in places}
        for link in self.links:
            kept.update((id(link[1]), id(link[3])))
        return kept

    def question_lemmas(self) -> set[str]:
        return {lemma(token) for token in self.question if token[0].isalnum()}
