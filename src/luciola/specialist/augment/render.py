"""The copying prompt: an example written so that names can be copied from the schema at hand.

    How many shops are in Lyon?

     shop ( shop.id key, shop.name, shop.city )
     employee ( employee.id key, employee.name, employee.shop_id )
     employee.shop_id = shop.id

Names are surrounded by the same characters in schema and answer, so that the tokenizer cuts them
alike and a name is copied by repeating the tokens that followed it last time. Columns are written
with their table throughout: a column always follows its own table's name. The question stands
before the schema as well as after it: a causal model then reads the schema knowing what is asked.
What each of these brings on unseen databases is measured in docs/benchmarks.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from luciola.specialist.augment.draft import Draft, DraftColumn, DraftTable
from luciola.specialist.augment.example import Literal, Piece, TableRef
from luciola.sql.identifier import identifier, literal


@dataclass(frozen=True)
class Rendered:
    """One example as three turns; `assistant` is empty where a question is asked."""

    system: str
    user: str
    assistant: str


def render(
    draft: Draft,
    tables: Mapping[int, str],
    columns: Mapping[int, str],
    *,
    dialect: str = "sqlite",
) -> Rendered:
    """Write the draft with these names, by identity of draft table and column.

    SQLite compares names in any case, so they are written in lower case there.
    """
    case = str.lower if dialect == "sqlite" else str
    return _Writer(
        draft,
        {key: identifier(case(name), dialect) for key, name in tables.items()},
        {key: identifier(case(name), dialect) for key, name in columns.items()},
    ).write()


@dataclass(frozen=True)
class _Writer:
    draft: Draft
    tables: Mapping[int, str]
    columns: Mapping[int, str]

    def write(self) -> Rendered:
        asked = "".join(self.draft.question).strip() + self.mentions()
        schema = "\n".join(self.schema())
        answer = "".join(self.piece(piece) for piece in self.draft.pieces)
        return Rendered(f"{asked}\n\n{schema}", asked, answer)

    def schema(self) -> Iterator[str]:
        for table in self.draft.tables:
            cells = ",".join(
                f" {self.place(table, column)}{' key' if column.key else ''}"
                for column in table.columns
            )
            yield f" {self.tables[id(table)]} ({cells} )"
        for child, column, parent, key in self.draft.links:
            yield f" {self.place(child, column)} = {self.place(parent, key)}"

    def place(self, table: DraftTable, column: DraftColumn) -> str:
        return f"{self.tables[id(table)]}.{self.columns[id(column)]}"

    def mentions(self) -> str:
        """What the question mentions, each on a line of its own."""
        return "".join(
            f"\n {self.column(*place)} = {literal(value)}" for place, value in self.draft.mentions
        )

    def table(self, index: int) -> str:
        return self.tables[id(self.draft.table_at[index])]

    def column(self, table: int, column: int) -> str:
        return f"{self.table(table)}.{self.columns[id(self.draft.column_at[table, column])]}"

    def piece(self, piece: Piece) -> str:
        if isinstance(piece, str):
            return piece
        if isinstance(piece, TableRef):
            return self.table(piece.table)
        if isinstance(piece, Literal):
            return literal(piece.text) if piece.string else piece.text
        if piece.alias:
            column = self.columns[id(self.draft.column_at[piece.table, piece.column])]
            return f"{piece.alias}.{column}"
        return self.column(piece.table, piece.column)
