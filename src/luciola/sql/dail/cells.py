"""The cells of a SQLite database as value linking asks for them, read once per column.

Equal to the original's queries `C like 'w'`, `'w %'`, `'% w'` and `'% w %'`, but for an accident
(there `_` and `%` in a word stand for any text). As there, a column whose name must be quoted holds
nothing, and a word with an apostrophe is nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from luciola.errors import DatabaseError
from luciola.sql.database.reading import reader
from luciola.sql.identifier import SQLITE_RESERVED, quoted

LONGEST = 500
"""Characters of a cell that are looked at; longer texts are no values that a question names."""

BARE = re.compile(r"[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*", re.ASCII)


class DatabaseCells:
    """The cells of the given columns, (table, column) each; ("", "*") holds nothing."""

    def __init__(self, path: str | Path, columns: Sequence[tuple[str, str]]) -> None:
        self._words: list[frozenset[str]] = []
        self._wholes: list[frozenset[str]] = []
        reader().check(path)
        for table, column in columns:
            texts = set(_texts(path, table, column))
            self._wholes.append(frozenset(text for text in texts))
            self._words.append(frozenset(word for text in texts for word in text.split(" ")))

    def holds_word(self, column: int, word: str) -> bool:
        return "'" not in word and word.lower() in self._words[column]

    def is_whole(self, column: int, words: str) -> bool:
        found, text = self._wholes[column], words.lower()
        return any(cell in found for cell in (text, f" {text}", f"{text} ", f" {text} "))


def _is_bare(name: str) -> bool:
    """Whether SQLite takes the name without quotes; letters of any script may be in it."""
    return BARE.fullmatch(name) is not None and name.lower() not in SQLITE_RESERVED


def _texts(path: str | Path, table: str, column: str) -> Iterator[str]:
    """Every different cell in lower case; nothing where the database refuses the query."""
    if not (_is_bare(table) and _is_bare(column)):
        return
    query = (
        f"SELECT DISTINCT lower(CAST({quoted(column)} AS TEXT)) FROM {quoted(table)} "
        f"WHERE length({quoted(column)}) <= {LONGEST}"
    )
    try:
        for (text,) in reader().trusted(query, database=path):
            if isinstance(text, str):
                yield text
    except DatabaseError:
        return
