"""Rows of a question file as questions, whatever the data set calls its fields.

| field      | Spider, -DK, -Realistic | Spider-Syn        | BIRD                      | own    |
| question   | question                | SpiderSynQuestion | question + " " + evidence | either |
| query      | query                   | query             | SQL                       | either |
| database   | db_id                   | db_id             | db_id                     | db_id  |
| difficulty | -                       | -                 | difficulty                | either |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from luciola.data.readers.lines import read_text
from luciola.data.readers.record import Record, keys
from luciola.data.readers.source import rows_of_file
from luciola.errors import DataError
from luciola.sql.answer import writable
from luciola.sql.question import Question

QUESTION = ("SpiderSynQuestion", "question")
QUERY = ("query", "SQL", "sql")
DATABASE = ("db_id",)
EVIDENCE = "evidence"
EXAMPLE = '{"db_id": "shop", "question": "How many shops?", "query": "SELECT count(*) FROM shop"}'


def read_rows(path: str | Path) -> list[Record]:
    """The rows of a JSON, JSONL, CSV or Parquet file.

    Raises: DataError where it cannot be read, or holds none.
    """
    rows = list(rows_of_file(str(path)))
    if not rows:
        raise DataError("holds no questions", path=path, remedy=f"A row is {EXAMPLE}.")
    return rows


def question_of(
    row: Record, *, only: str = "", needs_query: bool = False, needs_database: bool = True
) -> Question:
    """One row as a question.

    Args:
        only: the name of the database where there is but one, for rows without db_id.
        needs_query: whether a row without SQL is a mistake.
        needs_database: whether a row without db_id is one, where `only` is "".

    Raises: DataError naming the row and the text that it lacks.
    """
    values = row.values
    db_id = _first(values, DATABASE) or only
    return Question(
        db_id=db_id or (_lacking(row, DATABASE) if needs_database else ""),
        question=writable(_question(values) or _lacking(row, QUESTION)),
        query=writable(_first(values, QUERY) or (_lacking(row, QUERY) if needs_query else "")),
        prediction=writable(_first(values, ("prediction",))),
        difficulty=_first(values, ("difficulty",)),
        origin=row.origin,
    )


def with_gold(questions: Sequence[Question], path: Path) -> list[Question]:
    """Questions without SQL get that of a gold file, `SQL<TAB>db_id` a line in the same order.

    Raises: DataError where the file has another number of lines, or names another database.
    """
    lines = gold_lines(path)
    if len(lines) != len(questions):
        raise DataError(
            f"has {len(lines)} queries for {len(questions)} questions",
            path=path,
            remedy="Give the gold file that belongs to the questions, one SQL a line.",
        )
    for number, ((_, db_id), asked) in enumerate(zip(lines, questions, strict=True), 1):
        if db_id and db_id != asked.db_id:
            raise DataError(
                f"names the database {db_id!r} where {asked.origin} names {asked.db_id!r}",
                path=path,
                line=number,
            )
    pairs = zip(lines, questions, strict=True)
    return [asked if asked.query else replace(asked, query=sql) for (sql, _), asked in pairs]


def gold_lines(path: Path) -> list[tuple[str, str]]:
    """SQL and database of each line that is not blank; "" where a line names no database.

    Raises: DataError where the file cannot be read.
    """
    lines = read_text(path).split("\n")
    parts = [line.partition("\t") for line in lines if line.strip()]
    return [(sql.strip(), db_id.split("\t")[0].strip()) for sql, _, db_id in parts]


def _question(values: Mapping[str, Any]) -> str:
    text = _first(values, QUESTION)
    if not text or EVIDENCE not in values:
        return text
    return f"{text} {values[EVIDENCE]}".strip()


def _first(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first field that holds more than blanks; Spider's `sql`, a parse tree, is no text."""
    texts = (values.get(name) for name in names)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def _lacking(row: Record, names: Sequence[str]) -> NoReturn:
    """The error for a row where none of these fields is a text."""
    for name in names:
        if name in row.values:
            row.filled(row.values[name], repr(name))
    named = next((name for name in names if name.islower()), names[0])
    raise row.error(
        f"a row needs a text {named!r}, and this one has {keys(row.values)}",
        remedy=f"A row is {EXAMPLE}.",
    )
