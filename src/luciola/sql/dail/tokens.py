"""SQL as tokens, and what its aliases stand for, as the published code reads them.

    SELECT T1.a FROM `b` AS T1 ▶ SELECT, T1.a, FROM, b, AS, T1

Facts from the packages it reads with, sql_metadata 2 on sqlparse 0.5: `a.b` is one token, quotes of
names are dropped, comments are tokens, and an alias that is used twice means what it meant last.
Left out: procedural SQL, and the statements that those packages refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

LEXICON = re.compile(
    r"""
      (?P<comment> (?:--|\#\ ).*?(?:\r\n|\r|\n|$) | /\*[\s\S]*?\*/ )
    | (?P<space> \s )
    | (?P<name> `(?:``|[^`])*` | ´(?:´´|[^´])*´ )
    | (?P<placeholder> \? | %(?:\(\w+\))?s | (?<!\w)[$:?]\w+ )
    | (?P<special> (?:@|\#\#|\#)[^\W\d_]\w+ | [^\W\d_]\w*(?=\s*\.) | (?<=\.)[^\W\d_]\w* )
    | (?P<number> -?0x[\da-f]+ | -?\d+(?:\.\d+)?e-?\d+
        | -?(?:\d+\.\d*|\.\d+)(?![_a-zà-ü]) | -?\d+(?![_a-zà-ü]) )
    | (?P<string> '(?:''|\\'|[^'])*' )
    | (?P<bracketed> (?<![\w\])])\[[^\]\[]+\] )
    | (?P<word>
        (?:(?:(?:left|right|full)\s+)?(?:(?:inner|outer|straight)\s+)?|(?:cross|natural)\s+)join\b
        | end\s+(?:if|loop|while)\b | if\s+(?:not\s+)?exists\b | not\s+null\b
        | (?:asc|desc)\s+nulls\s+(?:first|last)\b | nulls\s+(?:first|last)\b | union\s+all\b
        | create\s+or\s+replace\b | double\s+precision\b | (?:group|order)\s+by\b
        | primary\s+key\b | not\s+i?like\b | not\s+rlike\b | (?:not\s+)?regexp(?:\s+binary)?\b
        | \w[$\#\w]* )
    | (?P<punctuation> :: | [;:()\[\],.] )
    | (?P<other> := | \\\w+ | ->>? | \#>>? | @> | <@ | \|\|? | \#- | - | [<>=~!]+ | [+/@\#%^&-]+
        | \S )
    """,
    re.VERBOSE | re.IGNORECASE,
)
AFTER_TABLE_WORD = frozenset(
    [
        "FROM",
        "JOIN",
        "CROSSJOIN",
        "INNERJOIN",
        "FULLJOIN",
        "FULLOUTERJOIN",
        "LEFTJOIN",
        "RIGHTJOIN",
        "LEFTOUTERJOIN",
        "RIGHTOUTERJOIN",
        "NATURALJOIN",
        "INTO",
        "UPDATE",
        "TABLE",
        "IFNOTEXISTS",
    ]
)
"""After these, upper case and without blanks, stands a table."""
CLAUSES = AFTER_TABLE_WORD | frozenset(
    [
        "SELECT",
        "WHERE",
        "HAVING",
        "ORDERBY",
        "GROUPBY",
        "ON",
        "SET",
        "USING",
        "DELETE",
        "REPLACE",
        "INSERT",
        "LIMIT",
        "OFFSET",
        "RETURNING",
        "VALUES",
        "INDEX",
        "KEY",
        "WITH",
        "WINDOW",
    ]
)
NO_TABLE = frozenset(["AS", "SELECT", "IF", "SET", "WITH", "IFNOTEXISTS"])
NAMES = frozenset(("name", "placeholder", "special", "bracketed", "word"))


class Token(NamedTuple):
    """A token without the quotes of a name; `kind` is a group of the lexicon."""

    text: str
    kind: str

    @property
    def word(self) -> str:
        """The text in upper case, without white space."""
        return "".join(self.text.split()).upper()

    def is_(self, *words: str) -> bool:
        """Whether it is one of these words, not in quotes."""
        return self.kind == "word" and self.word in words


NOTHING = Token("", "other")


def read(sql: str) -> list[Token]:
    """The tokens of the first statement, its semicolon included."""
    joined: list[Token] = []
    pending = ""
    found = list(_first_statement(sql))
    for token, following in zip(found, [*found[1:], NOTHING], strict=True):
        text = token.text if token.text == "." else token.text.strip("`")
        if token.text == "." or following.text == ".":
            pending += text
        else:
            joined.append(Token(pending + text, token.kind))
            pending = ""
    return [*joined, Token(pending, "special")] if pending else joined


def tokens(sql: str) -> list[str]:
    """The texts of the tokens."""
    return [token.text for token in read(sql)]


def _first_statement(sql: str) -> Iterator[Token]:
    for match in LEXICON.finditer(sql):
        if match.lastgroup == "space":
            continue
        yield Token(match.group(), str(match.lastgroup))
        if match.group() == ";":
            return


def table_aliases(sql: str) -> dict[str, str]:
    """The tables that other names stand for in a query, in the words of the query.

    A table in single or double quotes is a string there and has no alias; names of WITH neither.
    """
    found = read(sql)
    clauses = list(_clauses(found))
    own = _named_by_with(found)
    names = {found[index].text for index in own}
    tables = {
        index
        for index, clause in enumerate(clauses)
        if index not in own and _is_table(found, index, clause)
    }
    known = {found[index].text for index in tables} - names
    aliases: dict[str, str] = {}
    for index, clause in enumerate(clauses):
        token = found[index]
        if clause not in AFTER_TABLE_WORD or token.kind not in NAMES or index in tables | own:
            continue
        if token.is_("AS") or _at(found, index + 1).is_("AS"):
            continue
        owner = _at(found, index - 2 if _at(found, index - 1).is_("AS") else index - 1).text
        if owner in known:
            aliases[token.text] = owner
    return aliases


def _at(found: Sequence[Token], index: int) -> Token:
    return found[index] if 0 <= index < len(found) else NOTHING


def _clauses(found: Sequence[Token]) -> Iterator[str]:
    """For each token, the last word before it that begins a clause; a subquery's end goes back."""
    last, outside = "", []
    for index, token in enumerate(found):
        yield last
        if token.text == "(":
            begins = _at(found, index - 1).word in AFTER_TABLE_WORD
            outside.append(last if begins else None)
        elif token.text == ")" and outside:
            last = outside.pop() or last
        elif token.text == "," and last == "ON":
            last = "FROM"
        elif token.is_(*CLAUSES) and not (token.is_("USING") and last == "SELECT"):
            last = token.word


def _is_table(found: Sequence[Token], index: int, clause: str) -> bool:
    token, before = found[index], _at(found, index - 1)
    if clause not in AFTER_TABLE_WORD or token.kind not in NAMES or token.word in NO_TABLE:
        return False
    if before.word in ("AS", "WITH") or before.text == ")":
        return False
    return before.word == clause or before.kind == "punctuation"


def _named_by_with(found: Sequence[Token]) -> set[int]:
    """Where the queries of WITH are named: `name AS (…)`, several with commas."""
    named: set[int] = set()
    names_follow, depth = False, 0
    for index, token in enumerate(found):
        if token.is_("WITH"):
            names_follow, depth = True, 0
        depth += (token.text == "(") - (token.text == ")")
        if names_follow and depth == 0:
            if token.is_("SELECT", "UPDATE", "DELETE", "REPLACE", "INSERT"):
                names_follow = False
            elif _at(found, index + 1).is_("AS") and token.text != ")":
                named.add(index)
    return named
