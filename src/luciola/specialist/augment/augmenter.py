"""One call that makes a fresh variant of an example; the same address gives the same variant."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from luciola.specialist.augment import tables as structure
from luciola.specialist.augment.draft import Draft
from luciola.specialist.augment.example import Blueprint, Prepared, Table
from luciola.specialist.augment.literals import swap_literals
from luciola.specialist.augment.names import keep_names, restyled_names
from luciola.specialist.augment.render import Rendered, render
from luciola.specialist.augment.settings import AugmentSettings
from luciola.specialist.augment.spelling import misspell, renumber
from luciola.specialist.augment.swap import FIXED, swap_words
from luciola.specialist.augment.words import lemma

DEFAULTS = AugmentSettings()


@dataclass(frozen=True)
class Pool:
    """What is borrowed from other databases of the training part."""

    tables: tuple[Table, ...]
    vocabulary: tuple[str, ...]

    @classmethod
    def of(cls, schemas: Iterable[Blueprint]) -> Pool:
        """All tables, and every word of their names once, singular."""
        tables = tuple(table for schema in schemas for table in schema.tables)
        words = {lemma(word) for table in tables for word in _words(table)}
        kept = sorted(w for w in words if len(w) > 2 and w.isalpha() and w not in FIXED)
        return cls(tables, tuple(kept))


def _words(table: Table) -> list[str]:
    return [*table.words, *(word for column in table.columns for word in column.words)]


def plain(example: Prepared, *, dialect: str = "sqlite") -> Rendered:
    """The example as it is: what a model is asked with."""
    draft = Draft.of(example)
    return render(draft, *keep_names(draft), dialect=dialect)


def augment(
    example: Prepared,
    seed: int,
    pool: Pool,
    settings: AugmentSettings = DEFAULTS,
) -> Rendered:
    """A variant of the example, decided by `seed` (make it from the run's seed, epoch and row)."""
    rng = random.Random(seed)
    draft = Draft.of(example)
    _reorder(draft, rng, settings)
    structure.fit(draft, rng, settings.most_columns)
    if rng.random() < settings.plain:
        return render(draft, *keep_names(draft))
    _restructure(draft, rng, pool, settings)
    swap_literals(draft, rng, settings.literals)
    if rng.random() < settings.swap:
        share = min(1.0, rng.random() * 2 * settings.swap_share)
        swap_words(draft, rng, pool.vocabulary, share, settings.invented)
    if rng.random() < 0.5:
        renumber(draft, rng, settings.renumber)
    if rng.random() < settings.misspell:
        misspell(draft, rng, most=3)
    if rng.random() < settings.surface:
        _resurface(draft, rng)
    restyle = rng.random() < settings.restyle or draft.renamed
    names = restyled_names(draft, rng) if restyle else keep_names(draft)
    return render(draft, *names)


def _reorder(draft: Draft, rng: random.Random, settings: AugmentSettings) -> None:
    if rng.random() < settings.shuffle_tables:
        structure.shuffle_tables(draft, rng)
    if rng.random() < settings.shuffle_columns:
        structure.shuffle_columns(draft, rng)


def _restructure(draft: Draft, rng: random.Random, pool: Pool, settings: AugmentSettings) -> None:
    if rng.random() < settings.drop_tables:
        structure.drop_tables(draft, rng)
    if rng.random() < settings.drop_columns:
        structure.drop_columns(draft, rng)
    if rng.random() < settings.add_tables:
        structure.add_tables(draft, rng, pool.tables, most=2)
    if rng.random() < settings.add_columns:
        structure.add_columns(draft, rng, pool.tables, most=2)


def _resurface(draft: Draft, rng: random.Random) -> None:
    """Lower-case first word, or no mark at the end."""
    if rng.random() < 0.5 and draft.question:
        draft.question[0] = draft.question[0].lower()
    else:
        while draft.question and draft.question[-1] in (".", "?", " ", "!"):
            draft.question.pop()
