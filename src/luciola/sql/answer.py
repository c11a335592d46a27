"""The SQL in a model's answer: without thoughts, code fences, labels, comments and prose around it.

Of several statements the first counts. Nothing is invented or repaired: an answer in which no SQL
is found comes back as it is, for the sandbox to refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from luciola.sql.lexer import Piece, pieces

FIRST_WORDS = (
    "SELECT|WITH|VALUES|EXPLAIN|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|ATTACH|DETACH"
    "|VACUUM|REINDEX|ANALYZE|BEGIN|COMMIT|ROLLBACK|SAVEPOINT"
)
FENCE = re.compile(
    rf"(?P<mark>`{{3,}}|~{{3,}})[ \t]*"
    rf"(?P<language>(?!(?:{FIRST_WORDS})\b)[A-Za-z]\w*(?=[ \t]*\r?\n)|\w*sql\w*\b)?"
    r"(?P<body>.*?)(?:(?P=mark)|\Z)",
    re.DOTALL | re.IGNORECASE,
)
AT_ONCE = re.compile(rf"[\s(]*\b(?:{FIRST_WORDS})\b", re.IGNORECASE)
AFTER_LABEL = re.compile(rf"(?:\A|\n|:|`|\*\*|>)[ \t]*(?=\(*\b(?:{FIRST_WORDS})\b)", re.IGNORECASE)
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
THINKING = r"(?:think|thinking|thought|reasoning)"
THOUGHT = re.compile(rf"<({THINKING})>.*?</\1>", re.DOTALL | re.IGNORECASE)
THOUGHTS_END = re.compile(rf".*</{THINKING}>", re.DOTALL | re.IGNORECASE)
UNENDED_THOUGHT = re.compile(rf"(?:\A|\n)\s*<{THINKING}>.*\Z", re.DOTALL | re.IGNORECASE)
ENDS = re.compile(r"<\||</\w+>|<(?:eos|end_of_turn)>|\*\*|\}|~~~")
"""What no SQL has outside strings: marks of a chat's end, of Markdown and of LaTeX."""
REPEATED = re.compile(r"\s*SELECT\s+(?=SELECT\b|WITH\s+\w+\s+AS\s*\()", re.IGNORECASE)
COMBINES = ("SELECT", "UNION", "ALL", "EXCEPT", "INTERSECT", "AS", "EXPLAIN", "PLAN")
JSON_NAMES = ("sql", "query", "sql_query", "answer")


def without_thoughts(text: str) -> str:
    """The text without `<think>…</think>`: "" where the model did not come to the end of it.

    Some servers leave the first mark out, as it belongs to the prompt: then all before the last
    mark is thought.
    """
    if "<" not in text:
        return text
    answer = THOUGHT.sub("", text)
    answer = THOUGHTS_END.sub("", answer, count=1)
    return UNENDED_THOUGHT.sub("", answer)


def writable(text: str) -> str:
    """The text without what no UTF-8 file can hold: lone halves of surrogate pairs become `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def extract_sql(text: str) -> str:
    """The first SQL statement in `text`, without its semicolon; `text` itself if there is none."""
    answer = without_thoughts(text)
    body = _from_json(fenced(answer) or answer)
    start = _start(body)
    if start is None:
        return answer.strip()
    statement = REPEATED.sub("", body[start:], count=1)
    return "".join(_statement(statement)).strip()


def fenced(text: str) -> str:
    """What stands in the first code fence that holds SQL, else in the first; "" without one."""
    blocks = [block for block in FENCE.finditer(text) if block["body"].strip()]
    for block in blocks:
        language = (block["language"] or "").lower()
        if (not language or "sql" in language) and begins_in(block["body"]):
            return block["body"]
    for block in blocks:
        if begins_in(block["body"]):
            return block["body"]
    outside = FENCE.sub("", text)
    return "" if begins_in(outside) or not blocks else blocks[0]["body"]


def begins_in(text: str) -> bool:
    """Whether a statement begins somewhere in a text."""
    return _start(text) is not None


def _from_json(text: str) -> str:
    """The query in an object such as {"sql": …}, else the text."""
    if not text.strip().startswith("{"):
        return text
    try:
        content = json.loads(text)
    except ValueError:
        return text
    named = {str(name).lower(): value for name, value in content.items()}
    found = [named[name] for name in JSON_NAMES if isinstance(named.get(name), str)]
    return found[0] if found else text


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
    """The pieces of the statement up to its semicolon, the next statement, a mark or prose."""
    position = 0
    level = _Level(text)
    for piece in pieces(text):
        before, position = position, position + len(piece.text)
        if piece.text == ";" or _closes_code(piece) or level.ends_with(piece):
            return
        if piece.kind == "symbol" and ENDS.match(text, before):
            return
        if piece.kind == "space" and _is_over(text, position, piece.text):
            return
        yield " " if piece.kind == "comment" else piece.text


class _Level:
    """Watches for a second SELECT outside brackets: there another statement begins."""

    def __init__(self, text: str) -> None:
        word = AT_ONCE.match(text)
        self._first = word.group().strip().upper() if word else ""
        self._depth = 0
        self._selects = 0
        self._last = ""

    def ends_with(self, piece: Piece) -> bool:
        """Whether the piece belongs to the next statement."""
        if piece.kind in ("space", "comment"):
            return False
        word = piece.text.upper()
        self._depth += (word == "(") - (word == ")")
        begins = piece.kind == "word" and word in ("SELECT", "WITH") and self._depth <= 0
        over = (
            begins
            and self._selects > 0
            and self._first in ("SELECT", "WITH")
            and self._last not in COMBINES
        )
        self._selects += begins and word == "SELECT"
        self._last = word
        return over


def _closes_code(piece: Piece) -> bool:
    """Whether this is no quoted name but the back-tick, or the three, that end code in Markdown."""
    text = piece.text
    return text.startswith("``") or (text.startswith("`") and (len(text) < 2 or text[-1] != "`"))


def _is_over(text: str, position: int, space: str) -> bool:
    """Whether prose follows: its opening words on a new line, or no SQL after an empty line."""
    if "\n" in space and (PROSE.match(text, position) or text.startswith("#", position)):
        return True
    return space.count("\n") > 1 and CONTINUES.match(text, position) is None
