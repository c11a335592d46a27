"""Whether a pool of examples holds the very questions that are asked, and with them their answers.

A question is the same on the same database if nothing but case, white space and the last mark
differs. Such an example shows the gold query, and any score then measures copying. An example with
the same SQL under another question is a fair find, as it may be in use; it is counted only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from luciola.sql.lexer import pieces
from luciola.sql.question import Question

WORD = re.compile(r"\w+|[^\w\s]")
LAST_MARKS = frozenset(".?!。？！")


def question_key(text: str) -> str:
    """The question without what makes no other question of it."""
    words = WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    while words and words[-1] in LAST_MARKS:
        words.pop()
    return " ".join(words) or text.strip()


def query_key(sql: str) -> str:
    """The query without white space, comments, the last semicolon, and case outside strings."""
    words = [
        piece.text if piece.kind in ("string", "quoted") else piece.text.lower()
        for piece in pieces(sql)
        if piece.kind not in ("space", "comment")
    ]
    return " ".join(words).rstrip("; ")


def same_questions(asked: Sequence[Question], pool: Sequence[Question]) -> list[frozenset[int]]:
    """For each question the places in the pool where it stands itself."""
    places: dict[tuple[str, str], set[int]] = {}
    for index, row in enumerate(pool):
        places.setdefault((row.db_id, question_key(row.question)), set()).add(index)
    return [frozenset(places.get((row.db_id, question_key(row.question)), ())) for row in asked]


def shows_gold(asked: Question, shown: Sequence[tuple[str, str]]) -> bool:
    """Whether an example, (database, SQL), has the question's own gold query."""
    if not asked.query.strip():
        return False
    gold = query_key(asked.query)
    return any(db_id == asked.db_id and query_key(sql) == gold for db_id, sql in shown)
