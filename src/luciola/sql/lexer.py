"""SQL cut into its smallest pieces, so that nothing inside a string or a comment is taken for SQL.

Left out: PostgreSQL's dollar-quoted strings and MySQL's backslash escapes. Every character belongs
to exactly one piece: joined, the pieces are the text again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

PIECE = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<string>'(?:[^']|'')*(?:'|\Z))
    |(?P<quoted>"(?:[^"]|"")*(?:"|\Z)|`(?:[^`]|``)*(?:`|\Z)|(?<![\w\])])\[[^\]\[]+\])
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d[\w.]*|\.\d\w*)
    |(?P<space>\s+)
    |(?P<symbol>.)""",
    re.VERBOSE | re.DOTALL,
)


class Piece(NamedTuple):
    """`kind`: comment, string, quoted (an identifier), word, number, space or symbol."""

    kind: str
    text: str


def pieces(sql: str) -> Iterator[Piece]:
    """The pieces of `sql` in order; an unclosed string, name or comment reaches to the end."""
    for match in PIECE.finditer(sql):
        yield Piece(str(match.lastgroup), match.group())
