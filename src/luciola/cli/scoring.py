"""`luciola sql eval`: what a model, or a file of SQL, scores."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.errors import DataError

if TYPE_CHECKING:
    from luciola.runs.outputs import Output
    from luciola.specialist.evaluating import Databases
    from luciola.specialist.pairs import Pair
    from luciola.sql.database.allowed import Allowed
    from luciola.sql.execution import Report, Verdict
    from luciola.sql.rules import Rule

FAILURES_SHOWN = 5
REASON_WIDTH = 300
"""Characters of a reason that is shown."""


def score_model(
    database: str,
    pairs: str,
    model: str,
    *,
    out: Output | None,
    timeout: float | None,
    device: str,
    limit: int,
    trust_remote_code: bool = False,
    json_file: Output | None = None,
    report_file: Output | None = None,
    allowed: Allowed | None = None,
    bird: bool | None = None,
) -> str:
    """Let a model answer, judge it, and say what came of it.

    Raises: DataError where nothing could be judged; the answers are kept.
    """
    from luciola.specialist.asking import Writer
    from luciola.specialist.evaluating import evaluate_model, prediction_rows
    from luciola.sql.asking.cache import AnswerCache

    chosen, databases = _read(database, pairs, limit)
    rule = _rule(pairs, bird)
    places = [databases.of(pair) for pair in chosen]
    writer = Writer(model, device=device, progress=_progress, trust_remote_code=trust_remote_code)
    place = _answers_place(out, database, pairs, model)
    cache = AnswerCache(place)
    with kept_answers(place):
        evaluation = evaluate_model(
            writer,
            chosen,
            databases,
            workers=_workers(),
            timeout_s=timeout or rule.timeout_s,
            cache=cache,
            allowed=allowed,
            rule=rule,
        )
    verdicts = evaluation.report.verdicts
    if out:
        out.write(prediction_rows(chosen, evaluation.predictions, evaluation.report))
    _write_reports(
        json_file, report_file, chosen, evaluation.predictions, verdicts, databases, places, model
    )
    _check_judged(evaluation.report)
    if not evaluation.report.unanswered and evaluation.report.judged == len(chosen):
        place.unlink(missing_ok=True)  # a later evaluation of the same model asks anew
    speed = f"answered in {evaluation.answer_s:.1f} s"
    if evaluation.kept:
        speed += f", {evaluation.kept:,} of {len(chosen):,} kept from an earlier start"
    lines = [summary(evaluation.report), *_benchmark(chosen, verdicts, rule), speed]
    if evaluation.cut:
        most, count = writer.sampling.max_new_tokens, len(chosen)
        lines.append(f"cut off after {most} tokens: {evaluation.cut:,} of {count:,} answers")
    return "\n".join(lines)


def score_file(
    database: str,
    pairs: str,
    predictions: str,
    *,
    timeout: float | None,
    limit: int,
    out: Output | None = None,
    json_file: Output | None = None,
    report_file: Output | None = None,
    allowed: Allowed | None = None,
    bird: bool | None = None,
) -> str:
    """Judge one SQL a line, in the order of the pairs.

    Raises: DataError if there are not as many lines as pairs, or nothing could be judged.
    """
    from luciola.specialist.evaluating import allowed_for, judge_predictions, prediction_rows
    from luciola.sql.official.files import read_predictions

    chosen, databases = _read(database, pairs, limit)
    rule = _rule(pairs, bird)
    answers = read_predictions(Path(predictions), len(chosen), "pairs", first=limit)
    places = [databases.of(pair) for pair in chosen]
    found = judge_predictions(
        chosen,
        answers,
        places,
        workers=_workers(),
        timeout_s=timeout or rule.timeout_s,
        allowed=allowed_for(databases, allowed),
        rule=rule,
    )
    if out:
        out.write(prediction_rows(chosen, answers, found))
    _write_reports(
        json_file, report_file, chosen, answers, found.verdicts, databases, places, predictions
    )
    _check_judged(found)
    return "\n".join([summary(found), *_benchmark(chosen, found.verdicts, rule)])


def _rule(pairs: str, bird: bool | None) -> Rule:
    from luciola.cli.judging import judged_by_bird
    from luciola.sql.rules import BIRD, SPIDER

    return BIRD if judged_by_bird(pairs, bird) else SPIDER


def _benchmark(pairs: Sequence[Pair], verdicts: Sequence[Verdict], rule: Rule) -> Iterator[str]:
    """The data set's own difficulties, and the rule where it is not Spider's."""
    from luciola.sql.official.report import sorted_difficulties

    for level in sorted_difficulties(pair.difficulty for pair in pairs):
        found = [v for p, v in zip(pairs, verdicts, strict=True) if p.difficulty == level]
        judged = [verdict for verdict in found if verdict.gold_error is None]
        right = sum(verdict.correct for verdict in judged)
        share = f"{right / len(judged):.1%} " if judged else ""
        yield f"  {level}: {share}({right} of {len(judged)})"
    if rule.name != "Spider":
        yield f"judged by {rule.name}'s rule: the sets of rows are equal, columns in their order"


@contextmanager
def kept_answers(place: Path) -> Iterator[None]:
    """Say, where something ends an evaluation half-way, that its answers are kept."""
    try:
        yield
    except BaseException:
        if place.exists():
            print(
                f"\nWhat was answered is kept in {place}; the same command goes on from there.",
                file=sys.stderr,
            )
        raise


def _answers_place(out: Output | None, database: str, pairs: str, model: str) -> Path:
    """Where answers are kept as they come: beside the file of answers, or in the user's cache."""
    from luciola.specialist.checked_queries import cache_folder

    if out and not out.is_stream and Path(out.name).suffix:
        return Path(f"{out.name}.answers.jsonl").expanduser()
    asked = "\n".join([str(Path.cwd()), database, pairs, model])
    return cache_folder() / "answers" / f"{sha256(asked.encode()).hexdigest()[:16]}.jsonl"


def _write_reports(
    json_file: Output | None,
    report_file: Output | None,
    pairs: Sequence[Pair],
    predictions: Sequence[str],
    verdicts: Sequence[Verdict],
    databases: Databases,
    places: Sequence[str],
    model: str,
) -> None:
    """Which answers failed and why, by database and hardness.

    Args:
        places: each pair's database, as it was found before anything was answered.
    """
    if not (json_file or report_file):
        return
    from luciola.specialist.evaluation_report import judged_pairs, page, report
    from luciola.sql.answer import writable

    judged = judged_pairs(pairs, predictions, verdicts, places)
    if json_file:
        text = json.dumps(report(judged, model=model), ensure_ascii=False, indent=1)
        json_file.write(writable(text) + "\n")
    if report_file:
        report_file.write(writable(page(judged, model=model, database=databases.display_name)))


def _check_judged(report: Report) -> None:
    """Raises: DataError where there is no verdict at all."""
    if report.judged == 0 and report.verdicts:
        raise DataError(
            f"none of {len(report.verdicts):,} answers could be judged; the first: "
            f"{report.verdicts[0].reason}",
            remedy="Check that the pairs belong to this database, and that it can be read.",
        )


def summary(report: Report) -> str:
    """Execution accuracy, what the wrong answers did, and the first reasons."""
    total = report.judged
    wrong = report.not_running
    lines = [
        f"execution accuracy {report.execution_accuracy:.1%} ({report.right} of {total})",
        f"did not run {wrong / max(1, total):.1%} ({wrong} of {total})"
        + _kinds([verdict for verdict in report.verdicts if verdict.error is not None]),
        *_reasons([verdict.reason if verdict.error else "" for verdict in report.verdicts]),
    ]
    if report.unanswered:
        lines.append(f"not answered, counted as wrong: {report.unanswered}")
        lines += _reasons([verdict.unanswered for verdict in report.verdicts])
    if left := len(report.verdicts) - total:
        lines.append(f"not judged, because gold fails or the database cannot be read: {left}")
        lines += _reasons([one.reason if one.gold_error else "" for one in report.verdicts])
    return "\n".join(lines)


def _kinds(verdicts: Sequence[Verdict]) -> str:
    """How many of each kind of failure, in words."""
    words = {"table": "missing table", "column": "missing column", "write": "more than reading"}
    words |= {"limit": "a limit passed", "invalid": "not accepted"}
    counts = Counter(verdict.outcome for verdict in verdicts)
    found = [f"{words[kind]} {counts[kind]}" for kind in words if counts[kind]]
    return f": {', '.join(found)}" if found else ""


def _reasons(reasons: Sequence[str]) -> list[str]:
    found = [(number, reason) for number, reason in enumerate(reasons, 1) if reason]
    from luciola.sql.table import one_line, shortened

    lines = [
        f"  pair {number}: {shortened(one_line(reason[: 2 * REASON_WIDTH]), REASON_WIDTH)}"
        for number, reason in found[:FAILURES_SHOWN]
    ]
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
