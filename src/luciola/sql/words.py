"""Words of questions, names and cell values, made comparable.

Lower case, accents removed, plural made singular by rule; names are split at underscores and
capitals; a Chinese or Japanese character is a word of its own. Left out: lemmas beyond the plural.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])")
COMMON = """
    a about above after all also am an and any are as at average be been before below between
    both but by can contain could count date day did different distinct do does each either every
    find first five for four from get give had has have having her him his how i id if in into is
    it its last least less list many max maximum me min minimum month more most my name new no non
    none not number of off old on one only or order other our out over per please s same she show
    since six so some sort sum t ten than that the their them then there these they this those
    three to total two type under up us use was we were what when where which who whom whose will
    with without year yes you your"""
STOP_WORDS = frozenset(COMMON.split())


def words(text: str) -> list[str]:
    """The comparable words of `text`, in order."""
    return [singular(word) for word in WORD.findall(text)]


def name_words(name: str) -> list[str]:
    """The comparable words of a table's or column's name: `PetType_IDs` ▶ pet, type, id."""
    return words(CAPITAL.sub(" ", name))


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Each word as written, with the positions where it begins and ends."""
    return ((match.group(), match.start(), match.end()) for match in WORD.finditer(text))


@lru_cache(maxsize=65536)
def singular(word: str) -> str:
    """`word` in lower case, without accents, and without the ending of an English plural."""
    word = word.lower()
    if not word.isascii():
        decomposed = unicodedata.normalize("NFKD", word)
        word = "".join(mark for mark in decomposed if not unicodedata.combining(mark))
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
