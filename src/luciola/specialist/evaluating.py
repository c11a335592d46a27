"""Execution accuracy of a model on pairs of question and SQL, and a file with every answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.errors import ConfigError, DatabaseError, DataError
from luciola.runs.outputs import check_output
from luciola.specialist.pairs import Pair
from luciola.sql.answer import writable
from luciola.sql.asking.cache import AnswerCache
from luciola.sql.database.address import display_name
from luciola.sql.database.allowed import Allowed
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.datasets.dataset import database_folder
from luciola.sql.execution import Item, Report, Verdict, evaluate
from luciola.sql.place import database_of
from luciola.sql.rules import SPIDER, Rule

if TYPE_CHECKING:
    from luciola.specialist.asking import Writer
    from luciola.specialist.reading import Reading
    from luciola.specialist.represented import Represented

RAN = ("right", "wrong result")
"""Outcomes of answers that ran."""


@dataclass(frozen=True)
class Evaluation:
    """What a model scored.

    Args:
        report: execution accuracy, answers that did not run, and every verdict.
        predictions: the SQL it wrote, by pair.
        answer_s: seconds it took to write all of it.
        kept: answers that were there from an earlier time.
        cut: answers that were cut off at their most tokens.
    """

    report: Report
    predictions: tuple[str, ...]
    answer_s: float
    kept: int = 0
    cut: int = 0

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

    @property
    def display_name(self) -> str:
        """The place as it may be shown: a URL without its password."""
        return display_name(self.place)

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
    cache: AnswerCache | None = None,
    allowed: Allowed | None = None,
    rule: Rule = SPIDER,
) -> Evaluation:
    """Let a model answer all pairs and judge its SQL by what it returns.

    A question that cannot be answered, or whose database in a folder cannot be read, costs no
    other: its verdict says why.

    Args:
        cache: where answers are kept as they come; what is there is not answered again.
        allowed: what the model may know of and queries may read; None: what it was trained on, on
            another database everything.

    Raises: DatabaseError where there is but one database, and it cannot be read; DataError for a
        pair whose database is not there.
    """
    places = [databases.of(pair) for pair in pairs]
    if allowed is None and not databases.is_folder:
        allowed = writer.expertise.allowed_on(databases.place)
    allowed = allowed_for(databases, allowed)
    readings, unreadable = _readings(writer, places, databases, allowed)
    order = [index for index, place in enumerate(places) if place in readings]
    order.sort(key=lambda index: places[index])  # questions about one database share its tokens
    began = time.perf_counter()
    made = writer.written(
        [readings[places[index]] for index in order],
        [pairs[index].question for index in order],
        cache=cache,
    )
    answer_s = time.perf_counter() - began
    if note is not None:
        note(f"answered {len(pairs)} questions in {answer_s:.1f} s")
    written = dict(zip(order, made, strict=True))
    predictions = [written[i].sql if i in written else "" for i in range(len(pairs))]
    failures = [written[i].failure if i in written else "" for i in range(len(pairs))]
    judged = judge_predictions(
        [pairs[index] for index in order],
        [predictions[index] for index in order],
        [places[index] for index in order],
        workers=workers,
        timeout_s=timeout_s,
        failures=[failures[index] for index in order],
        allowed=allowed,
        rule=rule,
    )
    verdicts = dict(zip(order, judged.verdicts, strict=True))
    for index, place in enumerate(places):
        if place in unreadable:
            verdicts[index] = Verdict(correct=False, gold_error=unreadable[place])
    report = Report(tuple(verdicts[index] for index in range(len(pairs))))
    kept = sum(one.kept for one in made)
    cut = sum(written[index].cut for index in order)
    return Evaluation(report, tuple(predictions), answer_s, kept, cut)


def allowed_for(databases: Databases, allowed: Allowed | None) -> Allowed | None:
    """`allowed`, if there is one database only, whose names these are. Raises: ConfigError."""
    if allowed is not None and databases.is_folder:
        raise ConfigError(
            f"{databases.place} is a folder of databases, and allowed names belong to one",
            remedy="Give one database, or leave --allow-tables and --allow-columns out.",
        )
    return allowed


def _readings(
    writer: Writer, places: Sequence[str], databases: Databases, allowed: Allowed | None
) -> tuple[dict[str, Reading | Represented], dict[str, DatabaseError]]:
    """The databases as the model reads them, and why others cannot be read."""
    readings: dict[str, Reading | Represented] = {}
    unreadable: dict[str, DatabaseError] = {}
    for place in dict.fromkeys(places):
        try:
            readings[place] = writer.read(place, allowed)
        except DatabaseError as error:
            if not databases.is_folder:
                raise
            unreadable[place] = error
    return readings, unreadable


def judge_predictions(
    pairs: Sequence[Pair],
    predictions: Sequence[str],
    places: Sequence[str],
    *,
    workers: int = 2,
    timeout_s: float = 5.0,
    failures: Sequence[str] = (),
    allowed: Allowed | None = None,
    rule: Rule = SPIDER,
) -> Report:
    """Execution accuracy of SQL that was written elsewhere.

    Args:
        failures: why a question has no answer, "" where it has one; none: all have.
        allowed: what queries may read, the gold ones too; None: everything.
    """
    items = [
        Item(gold=pair.query, predicted=sql, database=place, unanswered=failure)
        for pair, sql, place, failure in zip(
            pairs, predictions, places, failures or [""] * len(pairs), strict=True
        )
    ]
    with Sandbox(timeout_s=timeout_s, workers=workers, allowed=allowed) as sandbox:
        return evaluate(items, sandbox, rule=rule)


def write_predictions(
    path: Path, pairs: Sequence[Pair], evaluation: Evaluation, *, overwrite: bool = False
) -> None:
    """Write the lines of `prediction_rows` to a file.

    Raises: ConfigError where the file is there already and `overwrite` is not given.
    """
    output = check_output(path, overwrite=overwrite, inputs=[pair.origin.path for pair in pairs])
    output.write(prediction_rows(pairs, evaluation.predictions, evaluation.report))


def prediction_rows(pairs: Sequence[Pair], predictions: Sequence[str], report: Report) -> str:
    """One JSON object a line: question, gold, predicted, correct, outcome, and what went wrong.

    `correct` is null where there was nothing to compare with.
    """
    lines = [
        json.dumps(
            {
                "question": pair.question,
                "db_id": pair.database,
                "gold": pair.query,
                "predicted": sql,
                "correct": verdict.correct if verdict.gold_error is None else None,
                "outcome": verdict.outcome,
                "error": verdict.reason if verdict.outcome not in RAN else None,
            },
            ensure_ascii=False,
        )
        for pair, sql, verdict in zip(pairs, predictions, report.verdicts, strict=True)
    ]
    return writable("".join(f"{line}\n" for line in lines))
