"""How identifiers are spelt: one style for a whole schema, as people write them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from luciola.specialist.augment.draft import Draft, DraftTable
from luciola.specialist.augment.words import abbreviated

Style = Callable[[Sequence[str]], str]


def _snake(words: Sequence[str]) -> str:
    return "_".join(words)


def _title_snake(words: Sequence[str]) -> str:
    return "_".join(word.capitalize() for word in words)


def _first_title_snake(words: Sequence[str]) -> str:
    return "_".join(words).capitalize()


def _upper_snake(words: Sequence[str]) -> str:
    return "_".join(words).upper()


def _pascal(words: Sequence[str]) -> str:
    return "".join(word.capitalize() for word in words)


def _camel(words: Sequence[str]) -> str:
    return words[0] + _pascal(words[1:])


def _flat(words: Sequence[str]) -> str:
    return "".join(words)


STYLES: tuple[tuple[Style, int], ...] = (
    (_snake, 8), (_title_snake, 6), (_first_title_snake, 2), (_upper_snake, 1),
    (_pascal, 3), (_camel, 3), (_flat, 2),
)  # fmt: skip
"""Styles with weights, roughly as often as schemas in the wild use them."""


def keep_names(draft: Draft) -> tuple[dict[int, str], dict[int, str]]:
    """The names as the database spells them: by identity of table and of column."""
    tables = {id(table): table.name for table in draft.tables}
    return tables, {id(c): c.name for table in draft.tables for c in table.columns}


def restyled_names(draft: Draft, rng: random.Random) -> tuple[dict[int, str], dict[int, str]]:
    """New spellings for every table and column, unique where SQL wants them unique."""
    of_table, of_column = _styles(rng)
    short = _abbreviations(draft, rng)
    table_prefix = rng.choice(("tbl", "t", "ref", "app")) if rng.random() < 0.07 else ""
    prefix_kind = rng.choice(("start", "initials", "table")) if rng.random() < 0.12 else ""
    tables: dict[int, str] = {}
    columns: dict[int, str] = {}
    taken_tables: set[str] = set()
    for table in draft.tables:
        words = [short.get(word, word) for word in table.words]
        if table_prefix:
            words = [table_prefix, *words]
        tables[id(table)] = _unique(of_table(words), taken_tables)
        prefix = _column_prefix(table, prefix_kind)
        taken: set[str] = set()
        for column in table.columns:
            words = [short.get(word, word) for word in column.words]
            if prefix and words[: len(prefix)] != prefix:
                words = [*prefix, *words]
            columns[id(column)] = _unique(of_column(words), taken)
    return tables, columns


def _styles(rng: random.Random) -> tuple[Style, Style]:
    styles, weights = zip(*STYLES, strict=True)
    of_table = rng.choices(styles, weights)[0]
    if rng.random() < 0.6:
        return of_table, of_table
    return of_table, rng.choices(styles, weights)[0]


def _abbreviations(draft: Draft, rng: random.Random) -> dict[str, str]:
    """Short forms for some words of the schema, the same wherever the word occurs."""
    if rng.random() < 0.65:
        return {}
    share = rng.random() * 0.7
    words = {word for t in draft.tables for c in t.columns for word in c.words}
    words.update(word for table in draft.tables for word in table.words)
    return {w: abbreviated(w, rng) for w in sorted(words) if rng.random() < share}


def _column_prefix(table: DraftTable, kind: str) -> list[str]:
    if kind == "start":
        return [table.words[0][:3]]
    if kind == "initials":
        return ["".join(word[0] for word in table.words)]
    return list(table.words) if kind == "table" else []


def _unique(name: str, taken: set[str]) -> str:
    """`name`, with a digit where the (case-blind) set already holds it."""
    if name[0].isdigit():
        name = "n" + name
    candidate, number = name, 2
    while candidate.lower() in taken:
        candidate, number = f"{name}{number}", number + 1
    taken.add(candidate.lower())
    return candidate
