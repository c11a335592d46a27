"""Questions with the SQL that answers them, from a file: JSONL, JSON, CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luciola.data.readers.source import rows_of_file
from luciola.errors import DataError
from luciola.sql.datasets.dataset import is_dataset, open_dataset
from luciola.types import Origin

QUESTION, QUERY, DATABASE = ("question",), ("query", "sql", "SQL"), ("db_id",)
NOWHERE = Origin()


@dataclass(frozen=True)
class Pair:
    """A question and its SQL; `database` names one of several databases, "" where there is one."""

    question: str
    query: str
    database: str = ""
    origin: Origin = NOWHERE


def read_pairs(path: str | Path) -> list[Pair]:
    """Every pair of a file, whose rows have `question` and `query` (or `sql`), maybe `db_id`.

    A folder such as Spider's, or one of its splits (`spider:dev`), is read as that data set.

    Raises: DataError naming file and line of a row that lacks one of them, or if there are none.
    """
    pairs = list(_of_dataset(path) if is_dataset(str(path)) else _pairs(str(path)))
    if not pairs:
        raise DataError("holds no pairs of question and query", path=path)
    return pairs


def _of_dataset(path: str | Path) -> Iterator[Pair]:
    for asked in open_dataset(path, needs_query=True).questions:
        yield Pair(asked.question.strip(), asked.query.strip(), asked.db_id, asked.origin)


def _pairs(path: str) -> Iterator[Pair]:
    for row in rows_of_file(path):
        yield Pair(
            _text(row.values, QUESTION, row.origin),
            _text(row.values, QUERY, row.origin),
            _text(row.values, DATABASE, row.origin, default=""),
            row.origin,
        )


def _text(
    values: Mapping[str, Any], names: tuple[str, ...], origin: Origin, *, default: str | None = None
) -> str:
    for name in names:
        value = values.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    if default is not None:
        return default
    seen = ", ".join(map(str, values)) or "nothing"
    raise DataError(
        f"a pair needs a text {names[0]!r}, and this row has {seen}",
        path=origin.path,
        line=origin.line,
        remedy='Rows look like {"question": "How many shops?", "query": "SELECT COUNT(*) ..."}.',
    )
