"""The skeleton of a query: its keywords with `_` for every name and value, and how alike two are.

    SELECT T2.name, count(*) FROM a AS T1 JOIN b AS T2 ON T1.id = T2.id GROUP BY T1.id
    ▶ select _ , count ( _ ) from _ group by _

Source: the published code of Gao et al. 2023, https://arxiv.org/abs/2308.15363, section 4.2, its
oddities included: they decide which examples are chosen. Strings are split as it splits them, so
that 'it''s' is two values, and `AS 'City Name'` leaves nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from luciola.sql.dail.tokens import table_aliases, tokens

TERM = r"(?:\w+ \( \S+ \)|\w+\.\w+|\w+)"
ORDERED = re.compile(rf"order by {TERM}(?: (?:\+|\-|\<|\<\=|\>|\>\=) {TERM})*")
SHORT_ALIASES = frozenset(f"t{number}" for number in range(1, 11))
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
JOINED = re.compile(r"_ (?:join _ ?)+")
COMPARISONS = ("=", "!=", ">", ">=", "<", "<=")


def normalize(sql: str) -> str:
    """`sql` in lower case (but for its strings), with aliases resolved and `asc` written out.

    After each string stands one more blank, as in the original.
    """
    text = sql.strip().removesuffix(";").replace('"', "'")
    text = _ascending(_lower(" ".join(tokens(text))))
    return " ".join(_without_aliases(text))


def _lower(text: str) -> str:
    """Lower case between quotes that come in pairs, whatever they enclose."""
    parts = text.split("'")
    return "'".join(part if index % 2 else part.lower() for index, part in enumerate(parts))


def _ascending(text: str) -> str:
    """`asc` after what is sorted by, where no order is named anywhere.

    What stands twice gets it twice, at both places: a defect of the original.
    """
    if "order by" in text and "asc" not in text and "desc" not in text:
        for found in ORDERED.findall(text):
            text = text.replace(found, f"{found} asc")
    return text


def _parts(text: str) -> list[str]:
    """The text at its blanks, but not within strings; after a string stands an empty part."""
    text = _until_gone(text, "  ", " ").strip()
    parts: list[str] = []
    start = 0
    while start < len(text):
        if text[start] == "'":
            end = text.find("'", start + 1) + 1 or len(text)
            parts.append(text[start:end])
        else:
            end = text.find(" ", start)
            end = len(text) if end < 0 else end
            parts.append(text[start:end])
            end += end < len(text)
        start = end
    return parts


def aliases(text: str) -> dict[str, str]:
    """The tables that short names stand for: `t1` to `t10`, and what prefixes a column."""
    parts = _parts(text)
    counted = {part.split(".")[0] for part in parts if "." in part} | SHORT_ALIASES.intersection(
        parts
    )
    named = table_aliases(text) if counted else {}
    return {name: table for name, table in named.items() if name in counted}


def _without_aliases(text: str) -> list[str]:
    known = aliases(text)
    resolved: list[str] = []
    previous = ""
    for part in _parts(text):
        if part in known:
            if previous == "as":
                resolved = resolved[:-1]
            elif previous != known[part]:
                resolved.append(known[part])
        else:
            resolved.append(_qualified(part, known) if "." in part else part)
        previous = part
    pairs = zip(["", *resolved], resolved, strict=False)
    return [part for before, part in pairs if "as" not in (before, part)]


def _qualified(token: str, known: dict[str, str]) -> str:
    parts = [
        part.replace("'", "").lower() if len(part) > 2 and part[0] == part[-1] == "'" else part
        for part in token.split(".")
    ]
    return ".".join(known.get(part, part) for part in parts)


@dataclass(frozen=True)
class Names:
    """The names of a database as tables.json writes them (`..._original`)."""

    tables: tuple[str, ...]
    columns: tuple[str, ...]

    @cached_property
    def replaced(self) -> frozenset[str]:
        """Every token that is a name: any table with any column, as in the original."""
        tables = {table.lower() for table in self.tables}
        columns = {column.lower() for column in self.columns}
        both = {f"{table}.{column}" for table in tables for column in columns}
        return frozenset(tables | columns | both | {"*"} | {f"{name}.*" for name in self.tables})


def skeleton(sql: str, names: Names) -> str:
    """The skeleton of `sql`, a query on the database of these names.

    It may end in a blank where joins stood last, as in the original.
    """
    found = tokens(normalize(sql))
    text = " ".join("_" if _is_filled_in(token, names) else token.strip() for token in found)
    return _order_by_blank(_shortened(text))


def _is_filled_in(token: str, names: Names) -> bool:
    is_string = token.startswith("'") and token.endswith("'")
    return token in names.replaced or is_string or NUMBER.fullmatch(token) is not None


def _shortened(text: str) -> str:
    """The steps in the order of the original; each is one pass unless it repeats."""
    text = text.replace("on _ = _ and _ = _", "on _ = _").replace("on _ = _ or _ = _", "on _ = _")
    text = JOINED.sub("_ ", text.replace(" on _ = _", ""))
    text = _until_gone(text, "_ , _", "_")
    for sign in COMPARISONS:
        text = text.replace(f"_ {sign} _", "_")
    while "where _ and _" in text or "where _ or _" in text:
        text = text.replace("where _ and _", "where _").replace("where _ or _", "where _")
    return _until_gone(text, "  ", " ")


def _until_gone(text: str, old: str, new: str) -> str:
    while old in text:
        text = text.replace(old, new)
    return text


def _order_by_blank(text: str) -> str:
    words = text.split(" ")
    for index in range(2, len(words)):
        if words[index - 2 : index] == ["order", "by"]:
            words[index] = "_"
    return " ".join(words)


def skeleton_words(text: str) -> list[str]:
    """What stands between single blanks, as in the original: two blanks enclose an empty word, and
    an empty text is one."""
    return text.strip().split(" ")


def jaccard(left: str, right: str) -> float:
    """Shared tokens of all tokens, each as often as it stands: 0 nothing shared, 1 all."""
    one, other = skeleton_words(left), skeleton_words(right)
    shared = (Counter(one) & Counter(other)).total()
    return shared / (len(one) + len(other) - shared)
