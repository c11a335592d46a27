"""The skeleton of a query: its keywords with `_` for every name and value, and how alike two are.

    SELECT T2.name, count(*) FROM a AS T1 JOIN b AS T2 ON T1.id = T2.id GROUP BY T1.id
    ▶ select _ , count ( _ ) from _ group by _

Source: the published code of Gao et al. 2023, https://arxiv.org/abs/2308.15363, section 4.2, with
the reading of SQL of the package sql_metadata 2, which it uses: `a.b` is one token, and an alias
that is used twice means what it meant last.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

TOKEN = re.compile(
    r"""
      --[^\n]* | /\*.*?\*/                               # comments
    | `[^`]*` | '(?:''|\\'|[^'])*' | \[[^\]\[]+\]
    | [^\W\d_]\w*(?=\s*\.) | (?<=\.)[^\W\d_]\w*         # both sides of a dot
    | -?\d+(?:\.\d+)?e-?\d+ | -?(?:\d+\.\d*|\.\d+)(?![_a-z]) | -?\d+(?![_a-z])
    | (?:(?:(?:left|right|full)\s+)?(?:inner\s+|outer\s+)?|(?:cross|natural)\s+)join\b
    | not\s+null\b | not\s+like\b | union\s+all\b | group\s+by\b | order\s+by\b
    | (?:asc|desc)\s+nulls\s+(?:first|last)\b | primary\s+key\b
    | \w[$\#\w]* | [<>=~!]+ | \|\| | [+/@\#%^&|-]+ | \S
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
TERM = r"(?:\w+ \( \S+ \)|\w+\.\w+|\w+)"
ORDERED = re.compile(rf"order by {TERM}(?: (?:\+|\-|\<|\<\=|\>|\>\=) {TERM})*")
QUOTED = re.compile(r"'(?:''|\\'|[^'])*'")
TABLE_WORDS = re.compile(r"(?:.* )?(?:from|join)", re.DOTALL)
CLAUSES = (
    "select|where|on|using|group by|having|order by|limit|union|union all|except|intersect|set"
)
OTHER_WORDS = frozenset(CLAUSES.split("|"))
SHORT_ALIASES = frozenset(f"t{number}" for number in range(1, 11))
NUMBER = re.compile(r"-?\d+(?:\.\d+)*")
JOINED = re.compile(r"_ (?:join _ ?)+")
COMPARISONS = ("=", "!=", ">", ">=", "<", "<=")


def tokens(sql: str) -> list[str]:
    """The tokens of the first statement; `a.b` is one, quotes of names are dropped."""
    found = [token for token in TOKEN.findall(sql) if not token.startswith(("--", "/*"))]
    if ";" in found:
        found = found[: found.index(";") + 1]
    joined: list[str] = []
    pending = ""
    for token, following in pairwise([*found, ""]):
        pending += token if token == "." else token.strip("`")
        if token != "." and following != ".":
            joined.append(pending)
            pending = ""
    return joined


def normalize(sql: str) -> str:
    """`sql` in lower case (but for its strings), with aliases resolved and `asc` written out.

    After each string stands one more blank, as in the original.
    """
    text = sql.strip().removesuffix(";").replace('"', "'")
    text = _lower(" ".join(tokens(text)))
    if "order by" in text and "asc" not in text and "desc" not in text:
        text = ORDERED.sub(r"\g<0> asc", text)
    return " ".join(_without_aliases(text)).strip()


def _lower(text: str) -> str:
    parts, end = [], 0
    for string in QUOTED.finditer(text):
        parts += [text[end : string.start()].lower(), string.group(), " "]
        end = string.end()
    return "".join([*parts, text[end:].lower()])


def aliases(found: Sequence[str]) -> dict[str, str]:
    """The tables that short names stand for: `t1` to `t10`, and what prefixes a column."""
    tables: set[str] = set()
    named: dict[str, str] = {}
    among_tables = False
    before = ["", ""]
    for token in found:
        if TABLE_WORDS.fullmatch(token):
            among_tables = True
        elif token in OTHER_WORDS:
            among_tables = False
        elif among_tables and token not in ("as", "(", ")", ","):
            owner = before[0] if before[1] == "as" else before[1]
            if owner in tables:
                named[token] = owner
            else:
                tables.add(token)
        before = [before[1], token]
    prefixes = {token.split(".")[0] for token in found if "." in token}
    return {name: table for name, table in named.items() if name in SHORT_ALIASES | prefixes}


def _without_aliases(text: str) -> list[str]:
    known = aliases(tokens(text))
    resolved: list[str] = []
    previous = ""
    for token in text.split(" "):
        if token in known:
            if previous == "as":
                resolved.pop()
            elif previous != known[token]:
                resolved.append(known[token])
        else:
            resolved.append(_qualified(token, known) if "." in token else token)
        previous = token
    pairs = zip(["", *resolved], resolved, strict=False)
    return [token for before, token in pairs if "as" not in (before, token)]


def _qualified(token: str, known: dict[str, str]) -> str:
    parts = [
        part[1:-1].lower() if len(part) > 2 and part[0] == part[-1] == "'" else part
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
    text = " ".join("_" if _is_filled_in(token, names) else token for token in found)
    return _order_by_blank(_shortened(text))


def _is_filled_in(token: str, names: Names) -> bool:
    is_string = len(token) > 1 and token[0] == token[-1] == "'"
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
    return re.sub(r"\border by \S+", "order by _", text)


def jaccard(left: str, right: str) -> float:
    """Shared tokens of all tokens, each as often as it stands: 0 nothing shared, 1 all."""
    one, other = left.split(), right.split()
    shared = (Counter(one) & Counter(other)).total()
    return shared / max(1, len(one) + len(other) - shared)
