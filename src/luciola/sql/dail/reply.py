"""The SQL of a model's reply to a prompt that ends in `SELECT `, as one line.

`sql_line` is the default; `original_line` is DAIL-SQL's own reading with its defects (`select` in
lower case and code fences are taken for the rest of a query), for numbers that are to be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from luciola.sql.answer import PROSE, begins_in, extract_sql, fenced, without_thoughts
from luciola.sql.lexer import pieces

BEGINS = re.compile(r"[\s(`*>{]*(?:[\d-]+\.?\s+)?(?:SELECT|WITH|VALUES)\b", re.IGNORECASE)
BREAKS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")
"""Whatever `str.splitlines` takes for the end of a line, with the white space around it."""


def original_line(reply: str) -> str:
    """The reply as the published code writes it: cut at `/*`, SELECT put before it.

    Thoughts are taken off before: the published models wrote none.
    """
    line = " ".join(without_thoughts(reply).split()).split("/*")[0]
    return line if line.startswith("SELECT") else f"SELECT {line}"


def continuation(query: str) -> str:
    """What a model that is trained on these prompts should write: `query` in one line, without the
    SELECT that the prompt ends in.

    As in the original, seven characters are cut off whatever they are, and the prompts that think
    first, which do not end in SELECT, have the same answers.
    """
    return " ".join(query.split())[len("SELECT ") :]


def sql_line(reply: str) -> str:
    """The first statement of the reply in one line; SELECT is put before one that goes on from it.

    Thoughts, fences, comments, what follows a semicolon and prose are left out; strings stay,
    but for line breaks in them, which become blanks: a file of predictions has one line for each.
    """
    text = without_thoughts(reply).strip()
    body = fenced(text)
    sql = extract_sql(text)
    if not (BEGINS.match(text) or PROSE.match(text) or (body and begins_in(body))):
        continued = extract_sql(f"SELECT {body.strip() or text}")
        if not BEGINS.match(sql) or (continued.upper() != "SELECT" and _parses(continued)):
            sql = continued
    return "".join(_unbroken(sql)).strip()


def _unbroken(sql: str) -> Iterator[str]:
    """The pieces of `sql`, with one blank for white space outside strings and for line breaks."""
    for piece in pieces(sql):
        is_blank = piece.kind in ("space", "comment")
        yield " " if is_blank else BREAKS.sub(" ", piece.text)


def _parses(sql: str) -> bool:
    import sqlglot

    try:
        return bool(sqlglot.parse(sql, read="sqlite"))
    except (sqlglot.errors.SqlglotError, RecursionError):
        return False
