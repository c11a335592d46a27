"""Words of identifiers and questions: splitting, a light lemma, inflection, abbreviations, invented
words.

The lemma only has to map singular and plural of a noun to one key; it is no dictionary ("buses"
becomes "bus", "series" stays "series" only by the list below). Left out: verbs, comparison of
adjectives.
"""

from __future__ import annotations

import random
import re
from functools import cache

IRREGULAR = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "feet": "foot",
    "mice": "mouse", "staff": "staff", "status": "status", "address": "address", "series": "series",
    "class": "class", "news": "news", "species": "species", "bus": "bus", "movies": "movie",
    "has": "have", "is": "be", "was": "be", "this": "this", "courses": "course", "houses": "house",
    "purchases": "purchase", "cases": "case", "databases": "database", "bases": "base",
    "expenses": "expense", "responses": "response", "releases": "release", "nurses": "nurse",
    "warehouses": "warehouse", "horses": "horse", "caches": "cache", "aches": "ache",
}  # fmt: skip
_PLURALS = {"person": "people", "man": "men", "woman": "women", "child": "children"}
_SAME = {"staff", "status", "series", "news", "species", "have", "be", "this"}
_RUNS = re.compile(r"[^\W\d_]+|\d+")
_CAPITALS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")


@cache
def split_words(name: str) -> tuple[str, ...]:
    """The lower-case words of an identifier: "OrderItem_ids" gives ("order", "item", "ids").

    Capitals begin a word in ASCII names only.
    """
    runs = _RUNS.findall(name)
    parts = [p for run in runs for p in (_CAPITALS.findall(run) if _is_latin(run) else [run])]
    return tuple(part.lower() for part in parts if part) or (name.lower(),)


def _is_latin(run: str) -> bool:
    return run.isascii() and run.isalpha()


@cache
def lemma(word: str) -> str:
    """Singular, lower-case form of a word, good enough to match names with questions."""
    word = word.lower()
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) < 4 or word.endswith(("ss", "us", "is")) or not word.endswith("s"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1]


def plural(word: str) -> str:
    """ "city" gives "cities"."""
    if word in _PLURALS or word in _SAME:
        return _PLURALS.get(word, word)
    if word.endswith("y") and word[-2:-1] not in ("a", "e", "i", "o", "u"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "sh", "ch", "x", "z")) else "s")


def inflected_like(token: str, word: str) -> str:
    """`word` with the number and capitals of `token`: ("Cities", "truck") gives "Trucks"."""
    lower = token.lower()
    if lemma(lower) != lower:
        word = plural(word)
    if token.isupper() and len(token) > 1:
        return word.upper()
    return word.capitalize() if token[:1].isupper() else word


def abbreviated(word: str, rng: random.Random) -> str:
    """A shorter form, as schemas have them: its first letters, or without inner vowels."""
    if len(word) < 5:
        return word
    if rng.random() < 0.6:
        return word[: rng.randint(3, 4)]
    return word[0] + "".join(letter for letter in word[1:] if letter not in "aeiou")[:5]


def invented(rng: random.Random) -> str:
    """A pronounceable word that no model has seen as a name."""
    syllables = rng.randint(2, 3)
    return "".join(
        rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") + rng.choice(("", "", "n", "r", "l"))
        for _ in range(syllables)
    )
