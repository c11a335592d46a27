"""`luciola sql eval`: what a model, or a file of SQL, scores."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luciola.errors import SqlError
    from luciola.specialist.evaluating import Databases
    from luciola.specialist.pairs import Pair
    from luciola.sql.execution import Report

FAILURES_SHOWN = 5


def score_model(
    database: str,
    pairs: str,
    model: str,
    *,
    out: str,
    timeout: float,
    device: str,
    limit: int,
    trust_remote_code: bool = False,
) -> str:
    """Let a model answer, judge it, and say what came of it."""
    from luciola.cli.output import check_places
    from luciola.specialist.asking import Writer
    from luciola.specialist.evaluating import evaluate_model, write_predictions

    check_places(out)
    chosen, databases = _read(database, pairs, limit)
    writer = Writer(model, device=device, progress=_progress, trust_remote_code=trust_remote_code)
    evaluation = evaluate_model(writer, chosen, databases, workers=_workers(), timeout_s=timeout)
    if out:
        write_predictions(Path(out), chosen, evaluation)
    speed = f"answered in {evaluation.answer_s:.1f} s"
    return "\n".join([summary(evaluation.report), speed])


def score_file(database: str, pairs: str, predictions: str, *, timeout: float, limit: int) -> str:
    """Judge one SQL a line, in the order of the pairs.

    Raises: DataError if there are not as many lines as pairs.
    """
    from luciola.specialist.evaluating import judge_predictions
    from luciola.sql.official.files import read_predictions

    chosen, databases = _read(database, pairs, limit)
    answers = read_predictions(Path(predictions), len(chosen), "pairs", first=limit)
    places = [databases.of(pair) for pair in chosen]
    return summary(
        judge_predictions(chosen, answers, places, workers=_workers(), timeout_s=timeout)
    )


def summary(report: Report) -> str:
    """Execution accuracy, answers that did not run, and the first reasons."""
    total = report.judged
    wrong = report.not_running
    lines = [
        f"execution accuracy {report.execution_accuracy:.1%} ({report.right} of {total})",
        f"did not run {wrong / max(1, total):.1%} ({wrong} of {total})",
        *_reasons([verdict.error for verdict in report.verdicts]),
    ]
    if left := len(report.verdicts) - total:
        lines.append(f"left out because the gold query fails: {left}")
        lines += _reasons([verdict.gold_error for verdict in report.verdicts])
    return "\n".join(lines)


def _reasons(errors: Sequence[SqlError | None]) -> list[str]:
    found = [(number, error) for number, error in enumerate(errors, 1) if error is not None]
    lines = [f"  pair {number}: {error.message}" for number, error in found[:FAILURES_SHOWN]]
    more = len(found) - FAILURES_SHOWN
    return [*lines, f"  and {more} more"] if more > 0 else lines


def _read(database: str, pairs: str, limit: int) -> tuple[list[Pair], Databases]:
    from luciola.specialist.evaluating import Databases
    from luciola.specialist.pairs import read_pairs

    return read_pairs(pairs)[: limit or None], Databases(database)


def _workers() -> int:
    return min(8, os.cpu_count() or 1)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done >= total else ""
        print(f"\ranswered {done} of {total}", end=end, file=sys.stderr, flush=True)
