"""Tables and columns dropped, added from other databases, and put in another order."""

from __future__ import annotations

import random
from collections.abc import Sequence

from luciola.specialist.augment.draft import Draft, DraftColumn, DraftTable
from luciola.specialist.augment.example import Table
from luciola.specialist.augment.words import lemma


def drop_tables(draft: Draft, rng: random.Random) -> None:
    """Remove some tables that the answer does not use; how many of them is drawn first."""
    share = rng.random()
    needed = {id(draft.table_at[index]) for index in draft.used_tables}
    needed |= {id(draft.table_at[place[0]]) for place, _ in draft.mentions}
    draft.tables = [t for t in draft.tables if id(t) in needed or rng.random() >= share]
    left = {id(table) for table in draft.tables}
    draft.links = [link for link in draft.links if id(link[0]) in left and id(link[2]) in left]


def fit(draft: Draft, rng: random.Random, most_columns: int) -> None:
    """Drop unused tables, then unused columns, until the schema has at most `most_columns`
    columns.
    """
    needed = {id(draft.table_at[index]) for index in draft.used_tables}
    needed |= {id(draft.table_at[place[0]]) for place, _ in draft.mentions}
    spare = [table for table in draft.tables if id(table) not in needed]
    rng.shuffle(spare)
    while spare and _columns(draft) > most_columns:
        gone = spare.pop()
        draft.tables = [table for table in draft.tables if table is not gone]
        draft.links = [link for link in draft.links if gone is not link[0] and gone is not link[2]]
    if _columns(draft) > most_columns:
        drop_columns(draft, rng)


def _columns(draft: Draft) -> int:
    return sum(len(table.columns) for table in draft.tables)


def drop_columns(draft: Draft, rng: random.Random) -> None:
    """Remove some columns that neither the answer nor a key needs."""
    share = rng.random() * 0.8
    kept = draft.kept_columns()
    for table in draft.tables:
        table.columns = [
            c for c in table.columns if c.key or id(c) in kept or rng.random() >= share
        ] or table.columns[:1]


def add_tables(draft: Draft, rng: random.Random, pool: Sequence[Table], most: int) -> None:
    """Add one to `most` tables of other databases that the question does not speak of."""
    asked = draft.question_lemmas()
    taken = {table.words for table in draft.tables}
    for _ in range(rng.randint(1, most)):
        table = rng.choice(pool)
        if table.words in taken or any(lemma(word) in asked for word in table.words):
            continue
        if any(table.name.lower() == other.name.lower() for other in draft.tables):
            continue
        taken.add(table.words)
        draft.tables.insert(rng.randint(0, len(draft.tables)), DraftTable.of(table))


def add_columns(draft: Draft, rng: random.Random, pool: Sequence[Table], most: int) -> None:
    """Add up to `most` columns of other databases to some tables; never one the question names."""
    asked = draft.question_lemmas()
    for table in draft.tables:
        if rng.random() < 0.5:
            continue
        taken = {column.words for column in table.columns}
        names = {column.name.lower() for column in table.columns}
        for _ in range(rng.randint(1, most)):
            column = rng.choice(rng.choice(pool).columns)
            if column.words in taken or column.name.lower() in names:
                continue
            if all(lemma(word) in asked for word in column.words):
                continue
            taken.add(column.words)
            names.add(column.name.lower())
            added = DraftColumn(column.name, column.words, column.kind, False, column.values)
            table.columns.insert(rng.randint(0, len(table.columns)), added)


def shuffle_tables(draft: Draft, rng: random.Random) -> None:
    rng.shuffle(draft.tables)


def shuffle_columns(draft: Draft, rng: random.Random) -> None:
    for table in draft.tables:
        rng.shuffle(table.columns)
