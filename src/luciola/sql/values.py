"""The cell values that a question mentions: `Which shops are in Lyon?` mentions shop.city = 'Lyon'.

Texts are compared word by word, whatever their case and accents; a plural matches its singular; the
longest match wins. Left out: numbers of fewer than four digits (they tell nothing about columns),
spelling mistakes, and parts of a value (`Lee` does not find 'Ann Lee').
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luciola.errors import DatabaseError
from luciola.sql.database.reading import reader
from luciola.sql.schema import Schema
from luciola.sql.words import STOP_WORDS, name_words, singular, spans, words

QUOTE = re.compile(r"""(?<!\w)["“”‘'`]([^"“”‘’'`]+)["“”’'`](?!\w)""")
NOT_TEXT = re.compile(r"INT|REAL|FLOA|DOUB|NUM|DEC|BOOL|BLOB|BYTE|BINARY|SERIAL|MONEY|JSON|UUID")
MAX_VALUES = 10_000
"""Distinct values read per column."""
MAX_ROWS = 1_000_000
"""Rows looked at per column."""
READING_S = 60.0
"""Seconds after which the values of further columns are left out."""
MAX_LENGTH = 60
"""Characters of the longest value that is read."""
MAX_WORDS = 10
"""Words of the longest value that a question can mention."""
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")
NO_CODES = frozenset("aistI")
"""Letters that stand alone in any English text."""
MAX_PLACES = 3
"""Columns named for one phrase of a question."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mention:
    """A cell value that the question mentions, as the database spells it."""

    table: str
    column: str
    value: str


@dataclass(frozen=True)
class ValueIndex:
    """Where each text value of a database stands.

    Args:
        places: a value's comparable words ▶ where such values stand, in the order of the schema.
        starts: the first words of all values, for a quick no.
        names: the tables' and columns' names, which alone mention no value.
    """

    places: Mapping[str, tuple[Mention, ...]]
    starts: frozenset[str]
    names: frozenset[str]

    @classmethod
    def read(cls, database: str | Path, schema: Schema) -> ValueIndex:
        """Read the distinct texts and dates of every column, bounded in number and length.

        Raises: DatabaseError where the database cannot be read.
        """
        return cls.build(_values(database, schema), schema)

    @classmethod
    def build(cls, values: Iterable[Mention], schema: Schema) -> ValueIndex:
        """The index of `values`, which were read elsewhere."""
        places: dict[tuple[str, ...], list[Mention]] = {}
        for mention in values:
            key = tuple(words(mention.value))
            if 0 < len(key) <= MAX_WORDS:
                places.setdefault(key, []).append(mention)
        return cls(
            places={" ".join(key): tuple(found) for key, found in places.items()},
            starts=frozenset(key[0] for key in places),
            names=frozenset(_names(schema)),
        )

    def mentioned(self, question: str, limit: int = 5) -> tuple[Mention, ...]:
        """The values that `question` mentions, in the question's order; at most `limit`.

        Of several columns that hold a phrase, those come first that the question names.
        """
        phrase = _Question(question)
        found: dict[Mention, None] = {}
        start = 0
        while start < len(phrase.stems) and len(found) < limit:
            size, places = self._longest(phrase, start)
            found.update(dict.fromkeys(_closest(places, phrase)))
            start += size
        return tuple(found)[:limit]

    def _longest(self, question: _Question, start: int) -> tuple[int, Sequence[Mention]]:
        """The number of words of the longest value that begins at `start`, and where it stands."""
        if question.stems[start] not in self.starts:
            return 1, ()
        for size in range(min(MAX_WORDS, len(question.stems) - start), 0, -1):
            places = self.places.get(" ".join(question.stems[start : start + size]), ())
            best = _best_spelt(places, question.text(start, size))
            if best and self._is_meant(question, start, size, best):
                return size, best
        return 1, ()

    def _is_meant(
        self, question: _Question, start: int, size: int, places: Sequence[Mention]
    ) -> bool:
        """Whether these words are a value and not just words of the question."""
        text, stems = question.text(start, size), question.stems[start : start + size]
        as_written = any(mention.value == text for mention in places)
        if text.isdigit():
            return len(text) >= 4 or question.is_quoted(start, size)
        if len(text) == 1:
            return as_written and text not in NO_CODES and (start > 0 or text != "A")
        if question.is_quoted(start, size):
            return True
        if len(text) == 2 and text.isascii():
            return as_written and not text.islower()
        if " ".join(stems) in self.names:
            return False
        if as_written and text[0].isupper() and start > 0:
            return True
        return any(stem not in STOP_WORDS and stem not in LETTERS for stem in stems)


class _Question:
    """A question cut into words, with what stands in quotation marks."""

    def __init__(self, question: str) -> None:
        self.whole = question
        found = list(spans(question))
        self.edges = [(start, end) for _, start, end in found]
        self.stems = [singular(word) for word, _, _ in found]
        self.quotes = {(match.start(1), match.end(1)) for match in QUOTE.finditer(question)}

    def text(self, start: int, size: int) -> str:
        return self.whole[self.edges[start][0] : self.edges[start + size - 1][1]]

    def is_quoted(self, start: int, size: int) -> bool:
        first, last = self.edges[start][0], self.edges[start + size - 1][1]
        return any(left <= first and last <= right for left, right in self.quotes)


def _best_spelt(places: Sequence[Mention], text: str) -> Sequence[Mention]:
    """Of values that differ in case or number only, those that are spelt most like `text`."""
    for same in (str, str.lower):
        exact = [mention for mention in places if same(mention.value) == same(text)]
        if exact:
            return exact
    return places


def _closest(places: Sequence[Mention], question: _Question) -> list[Mention]:
    stems = frozenset(question.stems)

    def distance(mention: Mention) -> int:
        column = len(stems.intersection(name_words(mention.column)))
        return -2 * column - len(stems.intersection(name_words(mention.table)))

    return sorted(places, key=distance)[:MAX_PLACES] if len(places) > 1 else list(places)


def _names(schema: Schema) -> Iterator[str]:
    """The names as phrases, and the last word of each, which is what it says: first_name ▶ name."""
    for table in schema.tables:
        for name in (table.name, *(column.name for column in table.columns)):
            parts = name_words(name)
            yield " ".join(parts)
            yield from parts[-1:]


def _values(database: str | Path, schema: Schema) -> Iterator[Mention]:
    """The values of each column, until a database that takes too long is left."""
    end = time.monotonic() + READING_S
    for table in schema.tables:
        for column in table.columns:
            if NOT_TEXT.search(column.type):
                continue
            where = f"{table.name}.{column.name}"
            if time.monotonic() > end:
                log.warning("values are read for %g s: none from %s on", READING_S, where)
                return
            for value in _distinct(database, table.name, column.name):
                yield Mention(table.name, column.name, value)


def _distinct(database: str | Path, table: str, column: str) -> list[str]:
    """Up to MAX_VALUES texts and dates of the column that are no longer than MAX_LENGTH, sorted."""
    try:
        found = reader().values(
            table, column, database=database, rows=MAX_ROWS, most=MAX_VALUES, longest=MAX_LENGTH
        )
    except DatabaseError as error:
        log.warning("no values are read from %s.%s: %s", table, column, error.message)
        return []
    texts = {value for value in found if isinstance(value, str)}
    return sorted(text for text in texts if 0 < len(text) <= MAX_LENGTH)
