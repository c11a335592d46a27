"""The SQL in a model's answer: without code fences, labels, comments and the prose around it.

Of several statements the first counts. Nothing is invented or repaired: an answer in which no SQL
is found comes back as it is, for the sandbox to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from luciola.sql.lexer import Piece, pieces

FENCE = re.compile(r"```[ \t]*(?P<language>[A-Za-z]*)[^\n]*\n?(?P<body>.*?)(?:```|\Z)", re.DOTALL)
FIRST_WORDS = (
    "SELECT|WITH|VALUES|EXPLAIN|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|ATTACH|DETACH"
    "|VACUUM|REINDEX|ANALYZE|BEGIN|COMMIT|ROLLBACK|SAVEPOINT"
)
AT_ONCE = re.compile(rf"[\s(]*\b(?:{FIRST_WORDS})\b", re.IGNORECASE)
AFTER_LABEL = re.compile(rf"(?:\A|\n|:|`)[ \t]*(?=\(*\b(?:{FIRST_WORDS})\b)", re.IGNORECASE)
ANYWHERE = re.compile(r"\bSELECT\b|\bWITH\s+\w+\s+AS\s*\(")
PROSE = re.compile(
    r"[A-Za-z][A-Za-z ]{1,30}:(?![:\w])"
    r"|(?:this|the|here|it|that|i|we|you|in this|please|let|if you|and this)\b(?!\s*[=<>.,(])",
    re.IGNORECASE,
)
CONTINUES = re.compile(
    r"""[(),*'"]|(?:from|where|group|order|having|limit|union|intersect|except|join|left|inner|cross
    |natural|on|and|or|select|offset|values|when|else|end|as)\b""",
    re.IGNORECASE | re.VERBOSE,
)


def writable(text: str) -> str:
    """The text without what no UTF-8 file can hold: lone halves of surrogate pairs become `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def extract_sql(text: str) -> str:
    """The first SQL statement in `text`, without its semicolon; `text` itself if there is none."""
    body = _fenced(text)
    start = _start(body)
    if start is None:
        return text.strip()
    return "".join(_statement(body[start:])).strip()


def _fenced(text: str) -> str:
    """What stands in the first code fence that holds SQL, or all of `text`."""
    blocks = list(FENCE.finditer(text))
    for block in blocks:
        if block["language"].lower() in ("", "sql", "sqlite") and _start(block["body"]) is not None:
            return block["body"]
    return blocks[0]["body"] if blocks and _start(blocks[0]["body"]) is not None else text


def _start(text: str) -> int | None:
    """Where the first statement begins: at once, after a line break or a label, or somewhere."""
    skipped = _leading_comments(text)
    if AT_ONCE.match(text, skipped):
        return skipped
    found = AFTER_LABEL.search(text, skipped) or ANYWHERE.search(text, skipped)
    if found is None:
        return None
    return found.end() if found.re is AFTER_LABEL else found.start()


def _leading_comments(text: str) -> int:
    length = 0
    for piece in pieces(text):
        if piece.kind not in ("comment", "space"):
            break
        length += len(piece.text)
    return length


def _statement(text: str) -> Iterator[str]:
    """The pieces of the statement up to its semicolon, a closing fence, or prose."""
    position = 0
    for piece in pieces(text):
        position += len(piece.text)
        if piece.text == ";" or _closes_code(piece):
            return
        if piece.kind == "space" and _is_over(text, position, piece.text):
            return
        yield " " if piece.kind == "comment" else piece.text


def _closes_code(piece: Piece) -> bool:
    """Whether this is no quoted name but the back-tick, or the three, that end code in Markdown."""
    text = piece.text
    return text.startswith("``") or (text.startswith("`") and (len(text) < 2 or text[-1] != "`"))


def _is_over(text: str, position: int, space: str) -> bool:
    """Whether prose follows: its opening words on a new line, or no SQL after an empty line."""
    if "\n" in space and PROSE.match(text, position):
        return True
    return space.count("\n") > 1 and CONTINUES.match(text, position) is None
