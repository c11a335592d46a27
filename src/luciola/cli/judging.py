"""`luciola sql eval --gold`: gold queries and predictions, judged as Spider or BIRD does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from luciola.errors import ConfigError

if TYPE_CHECKING:
    from luciola.runs.outputs import Output
    from luciola.sql.official.files import Example


def judge_files(
    gold: str,
    predictions: str,
    databases: str,
    tables: str,
    *,
    metrics: str,
    official: bool,
    keep_distinct: bool,
    plug_value: bool,
    timeout: float | None,
    out: Output | None,
    bird: bool | None = None,
) -> str:
    """Judge the predictions and say what came of it; `out` takes the JSON report.

    `gold` is a file, or a data set's split, which has databases and tables of its own. What is
    None or "" is as the benchmark has it, and `bird` as the gold queries are.

    Raises: ConfigError where the flags do not go together; DataError for the files.
    """
    from luciola.sql.datasets.dataset import is_dataset, open_dataset
    from luciola.sql.official.evaluate import Options, evaluate
    from luciola.sql.official.files import Gold, paired, read_examples
    from luciola.sql.official.report import report, table
    from luciola.sql.official.schema import read_tables
    from luciola.sql.rules import BIRD, SPIDER

    by_bird = judged_by_bird(gold, bird)
    chosen = metrics or ("ex" if by_bird and not tables else "em,ex")
    rows: list[Gold] = []
    if is_dataset(gold):
        opened = open_dataset(gold, needs_query=True)
        rows = [
            Gold(q.query.strip(), q.db_id, q.difficulty.strip(), number)
            for number, q in enumerate(opened.questions, 1)
        ]
        if not databases:
            databases, tables = str(opened.place()), tables or str(opened.tables or "")
    given = {"--official": official, "--keep-distinct": keep_distinct, "--plug-value": plug_value}
    rule = BIRD if by_bird else SPIDER
    options = Options(
        metrics=_metrics(chosen),
        bird=by_bird,
        official=official,
        keep_distinct=keep_distinct,
        plug_value=plug_value,
        timeout_s=timeout or rule.timeout_s,
        workers=min(8, max(2, os.cpu_count() or 1)),
    )
    if by_bird:
        _check_bird([name for name, value in given.items() if value], options.metrics)
    _check(predictions, databases, tables, options.metrics)
    answers = Path(predictions)
    examples = paired(rows, answers, gold) if rows else read_examples(Path(gold), answers)
    entries = read_tables(Path(tables)) if tables else {}
    if "em" in options.metrics and not tables:
        print(
            "No --tables: exact match takes the foreign keys of the databases themselves.",
            file=sys.stderr,
        )
    judged = evaluate(examples, Path(databases), entries, options)
    if out:
        whole = report(judged, options)
        out.write(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return "\n".join([table(judged, options), *_suites(examples, Path(databases), options.metrics)])


def judged_by_bird(place: str, wanted: bool | None) -> bool:
    """Whether BIRD's rule judges: as it is wanted, and else as the rows of `place` are."""
    from luciola.sql.datasets.dataset import is_bird

    return is_bird(place) if wanted is None else wanted


def _check_bird(flags: Sequence[str], metrics: Sequence[str]) -> None:
    """Raises: ConfigError for what only Spider's evaluator knows."""
    named = [*flags, *(["--metrics ts"] if "ts" in metrics else [])]
    if named:
        raise ConfigError(
            f"{' and '.join(named)} {'belong' if len(named) > 1 else 'belongs'} to Spider's "
            "evaluator, and these predictions are judged by BIRD's rule",
            remedy="Leave that out, or judge by Spider's rule with --no-bird.",
        )


def _metrics(names: str) -> tuple[str, ...]:
    from luciola.sql.official.evaluate import METRICS

    chosen = tuple(name.strip().lower() for name in names.split(",") if name.strip())
    unknown = [name for name in chosen if name not in METRICS]
    if unknown or not chosen:
        raise ConfigError(
            f"--metrics {names!r} names no metric that is known",
            remedy=f"Choose from {', '.join(METRICS)}, separated by commas.",
        )
    return chosen


def _check(predictions: str, databases: str, tables: str, metrics: Sequence[str]) -> None:
    if not predictions or not databases:
        missing = "--predictions" if not predictions else "--databases"
        raise ConfigError(
            f"sql eval --gold needs {missing}",
            remedy="luciola sql eval --gold gold.sql --predictions answers.sql "
            "--databases database --tables tables.json",
        )
    if not Path(databases).is_dir():
        raise ConfigError(
            f"there is no folder {databases}", remedy="--databases holds DB/DB.sqlite files."
        )


def _suites(examples: Sequence[Example], databases: Path, metrics: Sequence[str]) -> Iterator[str]:
    """Where test suites were asked for: how many database files there are, if only one each."""
    from luciola.sql.official.execution import suite_files

    names = {example.db_id for example in examples} if "ts" in metrics else set()
    if names and all(len(suite_files(databases, name)) < 2 for name in names):
        yield (
            "ts is ex here: no database has a second file beside it. Published test-suite figures "
            "need the suite's own database folder."
        )
