"""Names that differ a little from the question's words: in number, or by a misspelling.

A table is called `candidate` where the question says "candidates", and real schemas hold slips such
as `Date_in_Locaton_To`. Who writes what the question says, or what is usual, names something that
is not there.
"""

from __future__ import annotations

import random

from luciola.specialist.augment.draft import Draft, DraftColumn, DraftTable
from luciola.specialist.augment.words import lemma, plural

_VARIANTS = (("isation", "ization"), ("ise", "ize"), ("our", "or"), ("tre", "ter"), ("ogue", "og"))


def renumber(draft: Draft, rng: random.Random, share: float) -> None:
    """Turn the last word of about `share` of the table names from singular to plural, or back."""
    for table in draft.tables:
        if rng.random() >= share:
            continue
        last = table.words[-1]
        if len(last) > 2 and last.isalpha():
            table.words = (*table.words[:-1], plural(last) if lemma(last) == last else lemma(last))
            draft.renamed = True


def misspell(draft: Draft, rng: random.Random, most: int) -> None:
    """Misspell one to `most` words of the schema's names, each the same way throughout."""
    named: list[DraftTable | DraftColumn] = []
    for table in draft.tables:
        named += (table, *table.columns)
    words = sorted({word for item in named for word in item.words if len(word) > 4})
    if not words:
        return
    slips = {word: _slip(word, rng) for word in rng.sample(words, min(len(words), most))}
    for item in named:
        if any(word in slips for word in item.words):
            item.words = tuple(slips.get(word, word) for word in item.words)
    draft.renamed = True


def _slip(word: str, rng: random.Random) -> str:
    """Another usual spelling where there is one; else a letter left out, doubled or exchanged."""
    for one, other in _VARIANTS:
        for old, new in ((one, other), (other, one)):
            if old in word[2:] and rng.random() < 0.7:
                return word[:2] + word[2:].replace(old, new, 1)
    place = rng.randint(1, len(word) - 2)
    kind = rng.random()
    if kind < 0.5:
        return word[:place] + word[place + 1 :]
    if kind < 0.75:
        return word[:place] + word[place] + word[place:]
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
