"""Questions with the SQL that answers them, from a file: JSONL, JSON, CSV or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from luciola.data.readers.source import rows_of_file
from luciola.errors import DataError
from luciola.sql.datasets.dataset import is_dataset, open_dataset
from luciola.sql.datasets.rows import question_of
from luciola.sql.question import Question
from luciola.types import Origin

NOWHERE = Origin()


@dataclass(frozen=True)
class Pair:
    """A question and its SQL.

    Args:
        database: the name of one of several databases; "" where there is one.
        difficulty: the data set's own word, such as BIRD's; "" where it has none.
    """

    question: str
    query: str
    database: str = ""
    origin: Origin = NOWHERE
    difficulty: str = ""


def read_pairs(path: str | Path) -> list[Pair]:
    """Every pair of a file, whose rows have `question` and `query` (or `sql`), maybe `db_id`.

    A folder such as Spider's, or one of its splits (`spider:dev`), is read as that data set; so is
    a file of it, except that its rows need no `db_id`.

    Raises: DataError naming file and line of a row that lacks one of them, or if there are none.
    """
    pairs = [
        Pair(
            asked.question.strip(),
            asked.query.strip(),
            asked.db_id.strip(),
            asked.origin,
            asked.difficulty.strip(),
        )
        for asked in _questions(str(path))
    ]
    if not pairs:
        raise DataError("holds no pairs of question and query", path=path)
    return pairs


def _questions(path: str) -> Sequence[Question]:
    if is_dataset(path):
        return open_dataset(path, needs_query=True).questions
    return [question_of(row, needs_query=True, needs_database=False) for row in rows_of_file(path)]
