"""Which words of a question name a column, a table or a value, and the question without them.

    How many singers are older than 20 ? ▶ how many <mask> are older than <unk> ?

Source: the schema linking of RAT-SQL (Wang et al. 2020, https://arxiv.org/abs/1911.04942) as used
by DAIL-SQL. Lemmas come from whoever calls: from `luciola.sql.dail.lemmas`, or from CoreNLP as in
the original.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from luciola.sql.dail.stop_words import STOP_WORDS

LONGEST = 5
EXACT, PARTIAL = "EM", "PM"
MEASURED = {"number": "NUMBER", "time": "TIME"}
Place = tuple[int, int]
"""(position of the word in the question, index of the column or table)"""


@dataclass(frozen=True)
class LinkedSchema:
    """Names as lemmas joined by blanks; column 0 is `*`. `types` are those of tables.json."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    tables: tuple[str, ...]


class Cells(Protocol):
    """What the cells of a column hold; columns are numbered as in the schema."""

    def holds_word(self, column: int, word: str) -> bool:
        """Whether a cell is `word`, or holds it between blanks."""
        ...

    def is_whole(self, column: int, words: str) -> bool:
        """Whether a cell is `words`, with at most one blank before or after."""
        ...


@dataclass(frozen=True)
class Links:
    """What the words of a question name: CEM/CPM, TEM/TPM, NUMBER/TIME, EXACTMATCH/PARTIALMATCH."""

    columns: Mapping[Place, str] = field(default_factory=dict)
    tables: Mapping[Place, str] = field(default_factory=dict)
    numbers: Mapping[Place, str] = field(default_factory=dict)
    cells: Mapping[Place, str] = field(default_factory=dict)


def link(lemmas: Sequence[str], schema: LinkedSchema, cells: Cells | None = None) -> Links:
    """All links of a question; without `cells`, words are not looked up in the data."""
    return Links(
        columns=_name_links(lemmas, schema.columns, "C", first=1),
        tables=_name_links(lemmas, schema.tables, "T", first=0),
        numbers=_number_links(lemmas, schema.types),
        cells={} if cells is None else _cell_links(lemmas, len(schema.columns), cells),
    )


def mask(words: Sequence[str], links: Links, *, name: str = "<mask>", value: str = "<unk>") -> str:
    """The question with `name` for what the schema names, `value` for what the data holds."""
    names = {place[0] for found in (links.columns, links.tables) for place in found}
    values = {place[0] for found in (links.numbers, links.cells) for place in found}
    return " ".join(
        name if index in names else value if index in values else word
        for index, word in enumerate(words)
    )


def _name_links(
    lemmas: Sequence[str], names: tuple[str, ...], kind: str, *, first: int
) -> dict[Place, str]:
    """Longest first; an exact match replaces any other, a partial one only fills."""
    found: dict[Place, str] = {}
    possible = _beginnings(names)
    for start, end, gram in _grams(lemmas):
        if gram not in possible:
            continue
        for index in range(first, len(names)):
            places = [(position, index) for position in range(start, end)]
            if gram == names[index]:
                found.update(dict.fromkeys(places, kind + EXACT))
            elif _begins(gram, names[index]):
                for place in places:
                    found.setdefault(place, kind + PARTIAL)
    return found


@lru_cache(maxsize=1024)
def _beginnings(names: tuple[str, ...]) -> frozenset[str]:
    """All that any name begins with: what is not among it need not be compared."""
    return frozenset(name[:length] for name in names for length in range(1, len(name) + 1))


def _grams(lemmas: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    for length in range(LONGEST, 0, -1):
        for start in range(len(lemmas) - length + 1):
            gram = " ".join(lemmas[start : start + length])
            if gram.strip():
                yield start, start + length, gram


def _begins(gram: str, name: str) -> bool:
    """Whether `name` begins with the whole words of `gram`: `pet type` with `pet`."""
    if not name.startswith(gram) or _says_nothing(gram):
        return False
    return re.match(rf"\b{re.escape(gram)}\b", name) is not None


def _says_nothing(word: str) -> bool:
    return word in STOP_WORDS or word in string.punctuation


def _number_links(lemmas: Sequence[str], types: Sequence[str]) -> dict[Place, str]:
    """A number is linked with every column that may hold one; the data is not looked at."""
    measured = [(index, MEASURED[kind]) for index, kind in enumerate(types) if kind in MEASURED]
    return {
        (position, index): kind
        for position, word in enumerate(lemmas)
        if _is_number(word)
        for index, kind in measured
        if index
    }


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _cell_links(lemmas: Sequence[str], columns: int, cells: Cells) -> dict[Place, str]:
    asked = [
        (position, word)
        for position, word in enumerate(lemmas)
        if word.strip() and not _says_nothing(word) and not _is_number(word)
    ]
    found: dict[Place, str] = {}
    for column in range(1, columns):
        positions = [position for position, word in asked if cells.holds_word(column, word)]
        for run in _runs(positions):
            whole = cells.is_whole(column, " ".join(lemmas[position] for position in run))
            kind = "EXACTMATCH" if whole else "PARTIALMATCH"
            found.update({(position, column): kind for position in run})
    return found


def _runs(positions: Sequence[int]) -> list[list[int]]:
    """Neighbouring positions together: 1 2 5 ▶ [1 2] [5]."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and runs[-1][-1] == position - 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return runs
