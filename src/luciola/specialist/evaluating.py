"""Execution accuracy of a model on pairs of question and SQL, and a file with every answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.errors import DataError
from luciola.runs.atomic import write_atomically
from luciola.specialist.pairs import Pair
from luciola.sql.datasets.dataset import database_folder
from luciola.sql.execution import Item, Report, Verdict, evaluate
from luciola.sql.place import database_of
from luciola.sql.sandbox import Sandbox

if TYPE_CHECKING:
    from luciola.specialist.asking import Writer


@dataclass(frozen=True)
class Evaluation:
    """What a model scored.

    Args:
        report: execution accuracy, answers that did not run, and every verdict.
        predictions: the SQL it wrote, by pair.
        answer_s: seconds it took to write all of it.
    """

    report: Report
    predictions: tuple[str, ...]
    answer_s: float

    @property
    def accuracy(self) -> float:
        """Share of the pairs whose result is right, 0 to 1."""
        return self.report.execution_accuracy

    @property
    def not_running(self) -> int:
        """Answers that the database refused."""
        return self.report.not_running


class Databases:
    """Where the pairs' databases lie: one file or URL, or a folder with NAME/NAME.sqlite.

    The folder of a data set such as Spider means the folder of databases in it.

    Raises: DatabaseError or DataError when a pair's database is not there.
    """

    def __init__(self, place: str | Path) -> None:
        self.place = str(place) if "://" in str(place) else str(database_folder(place))
        self.is_folder = "://" not in self.place and Path(self.place).is_dir()

    def of(self, pair: Pair) -> str:
        """The database of a pair."""
        if not self.is_folder:
            return self.place
        if not pair.database:
            raise DataError(
                f"names no db_id, and {self.place} is a folder of databases",
                path=pair.origin.path,
                line=pair.origin.line,
            )
        return str(database_of(Path(self.place), pair.database, pair.origin))


def evaluate_model(
    writer: Writer,
    pairs: Sequence[Pair],
    databases: Databases,
    *,
    workers: int = 2,
    timeout_s: float = 5.0,
    note: Callable[[str], None] | None = None,
) -> Evaluation:
    """Let a model answer all pairs and judge its SQL by what it returns."""
    places = [databases.of(pair) for pair in pairs]
    readings = {place: writer.read(place) for place in dict.fromkeys(places)}
    began = time.perf_counter()
    predictions = writer.write([readings[p] for p in places], [pair.question for pair in pairs])
    answer_s = time.perf_counter() - began
    if note is not None:
        note(f"answered {len(pairs)} questions in {answer_s:.1f} s")
    report = judge_predictions(pairs, predictions, places, workers=workers, timeout_s=timeout_s)
    return Evaluation(report, tuple(predictions), answer_s)


def judge_predictions(
    pairs: Sequence[Pair],
    predictions: Sequence[str],
    places: Sequence[str],
    *,
    workers: int = 2,
    timeout_s: float = 5.0,
) -> Report:
    """Execution accuracy of SQL that was written elsewhere."""
    items = [
        Item(gold=pair.query, predicted=sql, database=place)
        for pair, sql, place in zip(pairs, predictions, places, strict=True)
    ]
    with Sandbox(timeout_s=timeout_s, workers=workers) as sandbox:
        return evaluate(items, sandbox)


def write_predictions(path: Path, pairs: Sequence[Pair], evaluation: Evaluation) -> None:
    """One JSON object a line: question, gold, predicted, correct, and the error of what failed.

    `correct` is null where the gold query itself fails.
    """
    lines = [
        json.dumps(
            {
                "question": pair.question,
                "db_id": pair.database,
                "gold": pair.query,
                "predicted": sql,
                "correct": verdict.correct if verdict.gold_error is None else None,
                "error": _error(verdict),
            },
            ensure_ascii=False,
        )
        for pair, sql, verdict in zip(
            pairs, evaluation.predictions, evaluation.report.verdicts, strict=True
        )
    ]
    write_atomically(path, "\n".join(lines) + "\n")


def _error(verdict: Verdict) -> str | None:
    if verdict.gold_error is not None:
        return f"gold fails: {verdict.gold_error.message}"
    return None if verdict.error is None else verdict.error.message
