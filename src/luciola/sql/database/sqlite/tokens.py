"""SQL cut into tokens exactly as SQLite cuts it, for checks that must not be fooled.

The project's lexer reads every dialect; this one knows what SQLite alone does: which characters a
bare name may have, that a byte order mark is a blank, that only blank, tab, line and form feed and
carriage return part words. Source: https://www.sqlite.org/src/file/src/tokenize.c
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from luciola.sql.database.allowed import folded

TOKEN = re.compile(
    r"""(?P<space>[ \t\n\f\r\ufeff]+|--[^\n]*|/\*(?=.).*?(?:\*/|\Z))
    |(?P<string>'(?:[^']|'')*(?:'|\Z))
    |(?P<double>"(?:[^"]|"")*(?:"|\Z))
    |(?P<quoted>`(?:[^`]|``)*(?:`|\Z)|\[[^\]]*(?:\]|\Z))
    |(?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
    |(?P<number>[0-9][A-Za-z0-9_.]*)
    |(?P<symbol>.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """`kind`: space (also a comment), string, double, quoted, word, number or symbol."""

    kind: str
    text: str

    @property
    def name(self) -> str:
        """What it names, without its marks and in lower case; a string may be a name too."""
        if self.kind in ("string", "double") or self.text.startswith("`"):
            mark = self.text[0]
            return folded(self.text[1:].removesuffix(mark).replace(mark * 2, mark))
        if self.kind == "quoted":
            return folded(self.text[1:].removesuffix("]"))
        return folded(self.text) if self.kind == "word" else ""


def tokens(sql: str) -> Iterator[Token]:
    """The tokens in order; joined, their texts are `sql` again."""
    for match in TOKEN.finditer(sql):
        yield Token(str(match.lastgroup), match.group())


def without_double_quotes(sql: str) -> str:
    """The same query with every "name" written as `name`, which SQLite never takes for a text."""
    return "".join(map(_renamed, tokens(sql)))


def double_quoted(sql: str) -> dict[str, str]:
    """What stands in double quotes, by its name in lower case."""
    found = (token for token in tokens(sql) if token.kind == "double")
    return {token.name: _inside(token.text) for token in found}


def common_names(sql: str) -> frozenset[str]:
    """The names that common table expressions may define: those before `AS (` or before `(`.

    More than these may be in it, such as functions; never fewer.
    """
    found = [token for token in tokens(sql) if token.kind != "space"]
    after = [*found[1:], Token("symbol", ""), Token("symbol", "")]
    return frozenset(
        token.name
        for token, one, two in zip(found, after, after[1:], strict=False)
        if token.name and (one.text == "(" or (one.name == "as" and _begins(two)))
    )


def names(sql: str) -> frozenset[str]:
    """Every name in the query, in lower case."""
    return frozenset(_present(token.name for token in tokens(sql)))


def _begins(token: Token) -> bool:
    return token.text == "(" or (token.kind == "word" and token.name in ("not", "materialized"))


def _renamed(token: Token) -> str:
    if token.kind != "double" or len(token.text) < 2 or not token.text.endswith('"'):
        return token.text  # one that is never closed stays an error
    return "`" + _inside(token.text).replace("`", "``") + "`"


def _inside(text: str) -> str:
    return text[1:].removesuffix('"').replace('""', '"')


def _present(found: Iterable[str]) -> Iterator[str]:
    return (name for name in found if name)
