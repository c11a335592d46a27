"""How well a question's words fit the names of tables and columns.

A word counts by how rare it is among the tables (as in BM25, Robertson and Zaragoza 2009, with the
idf of its eq. 2.6). Words that are not equal may still be close: `stu` begins `student`, and
`enrolment` shares most of its letter triples with `enrollment`. Left out: synonyms.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from luciola.sql.schema import Schema, Table
from luciola.sql.values import Mention
from luciola.sql.words import STOP_WORDS, name_words, words

TABLE_WEIGHT = 3.0
"""How much more the table's own name says than the name of one of its columns."""
MENTION_SCORE = 10.0
"""What a cell value of the question adds to its table and column."""
CLOSE = 0.5
"""Shared letter triples, as a share of all, from which two words count as close."""


@dataclass(frozen=True)
class Relevance:
    """Scores of one question, higher is better, 0 where nothing fits.

    Args:
        tables: score of each table, by index.
        columns: score of each column, by index of its table and its own.
    """

    tables: tuple[float, ...]
    columns: tuple[tuple[float, ...], ...]


def relevance(schema: Schema, question: str, mentions: Sequence[Mention] = ()) -> Relevance:
    """How well each table and column fits the question and the values that it mentions."""
    asked = [word for word in dict.fromkeys(words(question)) if word not in STOP_WORDS]
    rarity = _rarity(schema.tables)
    mentioned = {(mention.table, mention.column) for mention in mentions}
    columns = tuple(
        tuple(
            _fit(asked, name_words(column.name), rarity)
            + MENTION_SCORE * ((table.name, column.name) in mentioned)
            for column in table.columns
        )
        for table in schema.tables
    )
    tables = tuple(
        TABLE_WEIGHT * _fit(asked, name_words(table.name), rarity) + _best(scores)
        for table, scores in zip(schema.tables, columns, strict=True)
    )
    return Relevance(tables, columns)


def _best(scores: Sequence[float], count: int = 4) -> float:
    """The sum of the best few, so that a table of many columns does not win by their number."""
    return sum(sorted(scores, reverse=True)[:count])


def _rarity(tables: Sequence[Table]) -> Mapping[str, float]:
    """log(1 + (N - n + ½) / (n + ½)) for a word that is in the names of n of N tables."""
    found = Counter(word for table in tables for word in _table_words(table))
    total = len(tables)
    return {word: math.log1p((total - n + 0.5) / (n + 0.5)) for word, n in found.items()}


def _table_words(table: Table) -> set[str]:
    names = (table.name, *(column.name for column in table.columns))
    return {word for name in names for word in name_words(name)}


def _fit(asked: Iterable[str], name: Sequence[str], rarity: Mapping[str, float]) -> float:
    """The rarity of the name's words that are asked for, each times its closeness."""
    best = (max((closeness(word, other) for other in asked), default=0.0) for word in name)
    return sum(close * rarity[word] for close, word in zip(best, name, strict=True))


@lru_cache(maxsize=262_144)
def closeness(word: str, other: str) -> float:
    """1 for equal words, less for a beginning or a similar spelling, 0 for others."""
    if word == other:
        return 1.0
    shorter, longer = sorted((word, other), key=len)
    if len(shorter) >= 3 and longer.startswith(shorter):
        return 0.7 if len(shorter) >= 4 else 0.4
    triples, others = _triples(word), _triples(other)
    shared = len(triples & others) / max(1, len(triples | others))
    return shared if shared >= CLOSE else 0.0


def _triples(word: str) -> frozenset[str]:
    return frozenset(word[start : start + 3] for start in range(len(word) - 2))
