"""Words exchanged for other words, in schema, question and answer alike.

A model that has read a hundred schemas a thousand times answers from memory: it writes
`singer.name` because singers had names. Where "singer" becomes "truck" in names and question alike,
only the schema at hand can tell. A word may be exchanged if the question says it, or if nothing
that the answer needs is called by it: else ("older" for `age`) the question would no longer lead to
the name.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from luciola.specialist.augment.draft import Draft, DraftColumn, DraftTable
from luciola.specialist.augment.example import Literal
from luciola.specialist.augment.words import inflected_like, invented, lemma

FIXED_WORDS = """
    id ids code of the a an in on at to for from by with and or not no is be have do all each
    number num count total average avg maximum minimum max min sum most least more less than
    many much first last order by year date time day month between different distinct same
    other which what who how where when old new high low long short top bottom any both either
    per list show find give return name names"""
FIXED = frozenset(FIXED_WORDS.split())
"""Words that questions use for more than naming a column."""


def swap_words(
    draft: Draft, rng: random.Random, vocabulary: Sequence[str], share: float, pseudo: float
) -> None:
    """Exchange about `share` of the exchangeable words, a part `pseudo` of them for invented
    ones.
    """
    mapping: dict[str, str] = {}
    known = {lemma(word) for table in draft.tables for word in _all_words(table)}
    taken = known | draft.question_lemmas()
    for word in sorted(known - _protected(draft) - FIXED):
        if len(word) < 3 or not word.isalpha() or rng.random() >= share:
            continue
        new = invented(rng) if rng.random() < pseudo else rng.choice(vocabulary)
        if lemma(new) in taken:
            continue
        taken.add(lemma(new))
        mapping[word] = new
    if mapping:
        _rename(draft, mapping)
        _reword(draft, mapping)
        draft.renamed = True


def _all_words(table: DraftTable) -> list[str]:
    return [*table.words, *(word for column in table.columns for word in column.words)]


def _protected(draft: Draft) -> set[str]:
    """Lemmas of names that the answer uses and the question does not say."""
    said = draft.question_lemmas()
    keys = {id(column) for link in draft.links for column in (link[1], link[3])}
    needed: list[str] = []
    for place in draft.asked:
        column = draft.column_at[place]
        if not (column.key or id(column) in keys):
            needed += column.words
    with_columns = {place[0] for place in draft.asked}
    bridges = draft.used_tables - with_columns if len(draft.used_tables) > 1 else set()
    for index in draft.used_tables - bridges:
        needed += draft.table_at[index].words
    return {lemma(word) for word in needed} - said


def _rename(draft: Draft, mapping: dict[str, str]) -> None:
    def renamed(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            inflected_like(word, mapping[lemma(word)]) if lemma(word) in mapping else word
            for word in words
        )

    changed: list[DraftTable | DraftColumn] = []
    for table in draft.tables:
        changed += (table, *table.columns)
    for item in changed:
        item.words = renamed(item.words)


def _reword(draft: Draft, mapping: dict[str, str]) -> None:
    """Exchange the words of the question, except inside literals of the answer."""
    frozen = _literal_words(draft)
    for index, token in enumerate(draft.question):
        if lemma(token) in mapping and token.lower() not in frozen:
            draft.question[index] = inflected_like(token, mapping[lemma(token)])


def _literal_words(draft: Draft) -> set[str]:
    texts = [piece.text for piece in draft.pieces if isinstance(piece, Literal)]
    texts += [value for _, value in draft.mentions]
    return {word.lower() for text in texts for word in text.replace("%", " ").split()}
