"""What augmentation reads: a schema whose names are split into words, a question, and SQL in
pieces.

SQL is text between references to tables, columns and literals, so that a renamed schema needs no
parsing: the same pieces are written out again with other names. Built once per example by
`pieces.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[int, int]
"""(table, column), both indices into the schema."""


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: as the database spells it.
        words: the same in words, lower case ("stuid" may be ("student", "id") where a person said
            so).
        kind: "text", "number", "time", "boolean" or "others".
        key: part of the primary key.
        values: some distinct values, to exchange literals with.
    """

    name: str
    words: tuple[str, ...]
    kind: str = "text"
    key: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table; see `Column` for `words`."""

    name: str
    words: tuple[str, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Blueprint:
    """A database's structure; `links` are foreign keys as (child, parent) places."""

    name: str
    tables: tuple[Table, ...]
    links: tuple[tuple[Place, Place], ...] = ()


@dataclass(frozen=True)
class TableRef:
    """A table's name in the SQL."""

    table: int


@dataclass(frozen=True)
class ColumnRef:
    """A column in the SQL.

    Args:
        alias: of a self-join's table, else "".
        joined: several tables are in scope, so that the column must be written with its table.
        structural: it only joins tables (an ON clause): no question speaks of it.
    """

    table: int
    column: int
    alias: str = ""
    joined: bool = False
    structural: bool = False


@dataclass(frozen=True)
class Literal:
    """A number or a string; `text` without quotes."""

    text: str
    string: bool


Piece = str | TableRef | ColumnRef | Literal


@dataclass(frozen=True)
class Mention:
    """A cell value that the question names, and the column that holds it."""

    table: int
    column: int
    value: str


@dataclass(frozen=True)
class Prepared:
    """One training example in pieces.

    Args:
        schema: the database's structure.
        question: as asked.
        pieces: the answer.
        mentions: cell values that the question names, in the order to show them.
    """

    schema: Blueprint
    question: str
    pieces: tuple[Piece, ...]
    mentions: tuple[Mention, ...] = ()
