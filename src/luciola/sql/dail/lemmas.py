"""English questions as words and lemmas, by rules: what schema linking compares.

The original uses Stanford CoreNLP of 2018; this splits contractions and punctuation alike and knows
plurals, common verb forms and a few irregular words, so that some masks differ from the original's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from luciola.sql.words import singular

Analysis = tuple[Sequence[str], Sequence[str]]
"""The words and marks of a text, and the lemma of each, all in lower case."""
Analyse = Callable[[str], Analysis]

WORD = re.compile(
    r"""
      n't\b | '(?:s|re|ve|ll|d|m)\b
    | \d+(?:[.,:/-]\d+)*(?:st|nd|rd|th|s|%)?(?!\w)
    | [^\W_](?:[\w]|[-.&](?=[^\W_])|(?<=[a-z])'(?!(?:s|re|ve|ll|d|m)\b)(?=[a-z]))*?
      (?=n't\b|[^\w.&'-]|[-.&'](?![^\W_])|'|$)
    | \.\.\. | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
IRREGULAR = {
    "am is are was were been being": "be",
    "has had having": "have",
    "does did done doing": "do",
    "gave given": "give",
    "made making": "make",
    "taken took": "take",
    "people": "people",
    "men": "man",
    "women": "woman",
    "children": "child",
    "feet": "foot",
    "lives": "life",
    "n't": "not",
    "this news series species status address": "",
}
LEMMAS = {form: lemma or form for forms, lemma in IRREGULAR.items() for form in forms.split()}


def analyse(text: str) -> Analysis:
    """Words and lemmas by the rules here; `luciola.sql.dail.corenlp` asks a server instead."""
    found = words(text)
    return found, lemmas(found)


def words(text: str) -> list[str]:
    """The words and marks of `text` in lower case, in order."""
    return [word.lower() for word in WORD.findall(text)]


def lemmas(found: list[str]) -> list[str]:
    """The lemma of each word."""
    return [lemma(word) for word in found]


@lru_cache(maxsize=65536)
def lemma(word: str) -> str:
    """`word` without the ending of a plural or of the third person."""
    return LEMMAS.get(word) or singular(word)
