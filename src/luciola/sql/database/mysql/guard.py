r"""Whether a query on MySQL or MariaDB only reads, decided on its smallest pieces.

The server cuts a text into pieces by rules that hold whatever the text means, as long as its SQL
mode is known (`mysql` sets it). What is sent is put together again from these pieces, without
comments, so that executable comments and hints never reach the server. Refused are: every function
that is not known as harmless (a name before an opening bracket, quoted or not), variables, words
such as INTO and PROCEDURE, other databases, and every character that no query needs outside a text.

Left out: ODBC's `{d '...'}`, `\N`, parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from luciola.sql.database.mysql.names import (
    BEFORE_PARENTHESIS,
    FUNCTIONS,
    SYSTEM_SCHEMAS,
    WORDS_REFUSED,
)

PIECE = re.compile(
    r"""(?P<space>[ \t\r\n\v\f]+)
    |(?P<executable>/\*M?!)
    |(?P<comment>/\*.*?\*/|\#[^\n]*|--(?=[\x00-\x20]|\Z)[^\n]*)
    |(?P<string>(?:(?<![\w$])[xXbBnN])?'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
    |(?P<quoted>`(?:[^`]|``)+`)
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w$]))
    |(?P<word>[\w$\u0080-\U0010ffff]+)
    |(?P<symbol><=>|->>|->|<<|>>|<=|>=|<>|!=|:=|\|\||&&|[-+*/%=<>!&|^~(),.;])""",
    re.VERBOSE | re.DOTALL,
)
JOINING_WORDS = frozenset(("with", "recursive"))
MAX_REPEATED = 100_000


class QueryRefusedError(Exception):
    """`kind` is "forbidden" or "invalid"."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class Piece(NamedTuple):
    """`kind`: string, quoted (a name), number, word or symbol; `name` is lower case, unquoted."""

    kind: str
    text: str

    @property
    def name(self) -> str:
        if self.kind == "quoted":
            return self.text[1:-1].replace("``", "`").lower()
        return self.text.lower() if self.kind == "word" else ""

    @property
    def is_name(self) -> bool:
        return self.kind in ("word", "quoted")


NOTHING = Piece("", "")


def pieces(sql: str) -> list[Piece]:
    """The pieces that the server would see, without comments and the semicolon at the end.

    Raises: QueryRefusedError.
    """
    found: list[Piece] = []
    at = 0
    while at < len(sql):
        match = PIECE.match(sql, at)
        if match is None:
            raise QueryRefusedError("forbidden", f"use {sql[at]!r} outside a text")
        kind = str(match.lastgroup)
        if kind == "executable":
            raise QueryRefusedError("forbidden", "use an executable comment")
        if kind not in ("space", "comment"):
            found.append(Piece(kind, match.group()))
        at = match.end()
    while found and found[-1].text == ";":
        found.pop()
    if not found:
        raise QueryRefusedError("invalid", "it holds no query")
    return found


def check(found: Sequence[Piece], own: str, others: Iterable[str] = ()) -> None:
    """Let pass a query that only reads.

    Args:
        own: the database that may be read.
        others: the names of the server's other databases.

    Raises: QueryRefusedError.
    """
    for reason in _refusals(found, own.lower(), SYSTEM_SCHEMAS | {name.lower() for name in others}):
        raise reason


def _refusals(
    found: Sequence[Piece], own: str, others: frozenset[str]
) -> Iterator[QueryRefusedError]:
    first = next((piece.name for piece in found if piece.text != "("), "")
    if first not in ("select", "with", "values"):
        yield QueryRefusedError(
            "forbidden", f"run {first.upper() or 'something other than SELECT'}"
        )
    for index, piece in enumerate(found):
        before = found[index - 1] if index else NOTHING
        after = found[index + 1] if index + 1 < len(found) else NOTHING
        if piece.text == ";":
            yield QueryRefusedError("invalid", "one statement is expected, and there are several")
        elif piece.text == ":=":
            yield QueryRefusedError("forbidden", "set a variable")
        elif piece.kind == "word" and before.text != ".":
            yield from _word(piece.name, before, after)
        if piece.is_name and after.text == "(":
            yield from _call(found, index)
        is_first = piece.is_name and after.text == "." and before.text != "."
        if is_first and piece.name in others - {own}:
            yield QueryRefusedError("forbidden", f"read the database {piece.name}")
        if piece.text == "." and not before.is_name:
            yield QueryRefusedError("invalid", "a dot has no name before it")


def _word(name: str, before: Piece, after: Piece) -> Iterator[QueryRefusedError]:
    if name in WORDS_REFUSED and not (
        (name in ("insert", "replace") and after.text == "(")
        or (name == "set" and before.name in ("character", "char"))
    ):
        yield QueryRefusedError("forbidden", f"use {name.upper()}")
    if name == "for" and after.name in ("update", "share"):
        yield QueryRefusedError("forbidden", "lock rows")
    if name in ("next", "previous") and after.name == "value":
        yield QueryRefusedError("forbidden", "use a sequence")


def _call(found: Sequence[Piece], index: int) -> Iterator[QueryRefusedError]:
    piece = found[index]
    before = found[index - 1] if index else NOTHING
    if before.text == ".":
        yield QueryRefusedError("forbidden", f"call {piece.name}()")
    elif piece.kind == "word" and piece.name in BEFORE_PARENTHESIS:
        return
    elif piece.name in FUNCTIONS:
        if piece.name in ("repeat", "space", "lpad", "rpad"):
            yield from _repeated(found, index)
    elif not _is_list_of_columns(found, index):
        yield QueryRefusedError("forbidden", f"call {piece.name}()")


def _repeated(found: Sequence[Piece], index: int) -> Iterator[QueryRefusedError]:
    for piece in found[index + 2 : closing(found, index + 1)]:
        if piece.kind == "number" and float(piece.text) > MAX_REPEATED:
            yield QueryRefusedError(
                "forbidden", f"call {found[index].name}() with more than {MAX_REPEATED:,}"
            )


def _is_list_of_columns(found: Sequence[Piece], index: int) -> bool:
    """`WITH name (a, b) AS (`, `, name (a, b) AS (`, `AS name (a, b)`: names and commas only."""
    before = found[index - 1] if index else NOTHING
    end = closing(found, index + 1)
    inside = found[index + 2 : end]
    if not inside or any(not (item.is_name or item.text == ",") for item in inside):
        return False
    if before.kind == "word" and before.name == "as":
        return True
    is_shared = end + 2 < len(found) and found[end + 1].name == "as" and found[end + 2].text == "("
    return is_shared and (before.text == "," or before.name in JOINING_WORDS)


def closing(found: Sequence[Piece], opening: int) -> int:
    """The index of the bracket that closes the one at `opening`; the end where none does."""
    depth = 0
    for index in range(opening, len(found)):
        depth += {"(": 1, ")": -1}.get(found[index].text, 0)
        if depth == 0:
            return index
    return len(found)


def text(found: Iterable[Piece]) -> str:
    """The pieces as SQL. No blank before `(`: it can change what a name means."""
    parts: list[str] = []
    for piece in found:
        if parts and piece.text not in ("(", ".", ",", ")") and parts[-1] not in (".", "("):
            parts.append(" ")
        parts.append(piece.text)
    return "".join(parts)
