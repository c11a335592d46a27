"""Judge predictions as Spider's evaluator does, or with its known defects mended.

The official mode keeps every oddity: `value` becomes 1 in predictions, and a prediction whose style
its parser does not take is wrong. The default mode leaves predictions as they are and reads other
styles too (see `lenient`); each example then says where the official verdict would be another.
In neither mode does a gold query that fails stop the run: the example is left out and reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from luciola.errors import DatabaseError, DataError
from luciola.sql.database.judging import judging_sandbox
from luciola.sql.official.execution import UNREADABLE, Judge, Outcome, database_file, suite_files
from luciola.sql.official.files import Example
from luciola.sql.official.grammar import parse
from luciola.sql.official.hardness import hardness
from luciola.sql.official.lenient import tokenize_leniently
from luciola.sql.official.match import Score, matches, partial_scores
from luciola.sql.official.normal import normal
from luciola.sql.official.problem import Problem
from luciola.sql.official.query import EMPTY, Query
from luciola.sql.official.schema import (
    Schema,
    declared_equal,
    equal_columns,
    from_entry,
    from_sqlite,
)
from luciola.sql.official.tokens import tokenize
from luciola.sql.rules import BIRD, spider

METRICS = ("em", "ex", "ts")


@dataclass(frozen=True)
class Options:
    """What is judged, and how; `bird` is BIRD's rule, which knows ex alone."""

    metrics: Sequence[str] = METRICS[:2]
    official: bool = False
    keep_distinct: bool = False
    plug_value: bool = False
    bird: bool = False
    timeout_s: float = 5.0
    workers: int = 2


@dataclass(frozen=True)
class Judged:
    """The verdicts on one example; None where there is none: gold fails, the database cannot be
    read, or it was not asked.

    `index` counts from 0, as in files of predictions; `line` is the line of the gold file, from 1.
    `official` holds the official verdicts that differ from those here; `difficulty` is the data
    set's own word, "" where it has none.
    """

    index: int
    db_id: str
    hardness: str | None = None
    em: bool | None = None
    ex: bool | None = None
    ts: bool | None = None
    valid: bool | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    partial: Mapping[str, Score] = field(default_factory=dict)
    official: Mapping[str, bool] = field(default_factory=dict)
    difficulty: str = ""
    line: int = 0

    @property
    def is_unreadable(self) -> bool:
        """Whether a verdict is missing because the database could not be read."""
        return any(error.startswith(UNREADABLE) for error in self.errors.values())

    @property
    def place(self) -> str:
        """Where it is in the gold file, for people."""
        return f"line {self.line or self.index + 1}"


def evaluate(
    examples: Sequence[Example],
    databases: Path,
    tables: Mapping[str, Mapping[str, Any]],
    options: Options,
) -> list[Judged]:
    """The verdicts in the order of the examples.

    A database that cannot be read, being locked or gone, costs only its own examples.

    Args:
        examples: gold and predictions.
        databases: the folder with DB/DB.sqlite for each database.
        tables: the entries of tables.json by database; needed for em only.
        options: which metrics, and the mode.

    Raises: DataError where a database is in neither place.
    """
    schema_of = _schemas(databases, tables)
    judged = [_matched(i, example, schema_of, options) for i, example in enumerate(examples)]
    if not {"ex", "ts"} & set(options.metrics):
        return judged
    with judging_sandbox(timeout_s=options.timeout_s, workers=options.workers) as sandbox:
        rule = BIRD if options.bird else spider(keep_distinct=options.keep_distinct)
        judge = Judge(sandbox, rule, plug_value=options.plug_value)

        def executed(example: Example, so_far: Judged) -> Judged:
            return _executed(example, so_far, judge, databases, options)

        return list(sandbox.at_once(executed, examples, judged))


def as_official(predicted: str) -> str:
    """A prediction as the official script changes it before anything else."""
    return predicted.replace("value", "1")


SchemaOf = Callable[[str], Schema | DatabaseError]


def _schemas(databases: Path, tables: Mapping[str, Mapping[str, Any]]) -> SchemaOf:
    @cache
    def schema_of(db_id: str) -> Schema | DatabaseError:
        entry = tables.get(db_id)
        file = database_file(databases, db_id)
        if file.is_file():
            try:
                return from_sqlite(file, equal_columns(entry) if entry else declared_equal(file))
            except DatabaseError as error:
                if entry is None:
                    return error
        if entry is None:
            raise DataError(
                f"there is no database {db_id!r}: no file {file}, and no entry in tables.json",
                remedy="Check --databases, --tables and the names in the gold file.",
            )
        return from_entry(entry)

    return schema_of


def _matched(index: int, example: Example, schema_of: SchemaOf, options: Options) -> Judged:
    """Hardness, and exact match where it is asked for."""
    schema = schema_of(example.db_id)
    blank = Judged(index, example.db_id, difficulty=example.difficulty, line=example.line)
    if isinstance(schema, DatabaseError):
        return replace(blank, errors={"database": f"{UNREADABLE}{schema.message}"})
    try:
        gold = _parsed(example.gold, schema, lenient=not options.official)
    except Problem as problem:
        return replace(blank, errors={"gold": f"gold does not parse: {problem.message}"})
    judged = replace(blank, hardness=hardness(gold))
    if "em" not in options.metrics:
        return judged
    return _compared(judged, example.predicted, normal(gold, schema), schema, options)


def _compared(
    judged: Judged, predicted: str, gold: Query, schema: Schema, options: Options
) -> Judged:
    official, official_scores, problem = _match(as_official(predicted), gold, schema, False)
    if options.official:
        em, scores = official, official_scores
    else:
        em, scores, problem = _match(predicted, gold, schema, True)
    if not predicted.strip():
        problem = "the prediction is empty"
    elif problem is not None:
        problem = f"does not parse: {problem}"
    elif not em:
        unequal = [name for name, score in scores.items() if not score.equal] or ["tables"]
        problem = f"differs in {', '.join(unequal)}"
    return replace(
        judged,
        em=em,
        partial=scores,
        errors={"em": problem} if problem else {},
        official={"em": official} if official != em else {},
    )


def _match(
    predicted: str, gold: Query, schema: Schema, lenient: bool
) -> tuple[bool, dict[str, Score], str | None]:
    found, problem = EMPTY, None
    try:
        found = normal(_parsed(predicted, schema, lenient=lenient), schema)
    except Problem as error:
        problem = error.message
    scores = partial_scores(found, gold)
    return matches(scores, found, gold), scores, problem


def _parsed(sql: str, schema: Schema, *, lenient: bool) -> Query:
    """By the official grammar; leniently only where that does not take the query."""
    try:
        return parse(tokenize(sql), schema)
    except Problem:
        if not lenient:
            raise
        return parse(tokenize_leniently(sql, schema), schema)


def _executed(
    example: Example, judged: Judged, judge: Judge, databases: Path, options: Options
) -> Judged:
    first = [database_file(databases, example.db_id)]
    suite = suite_files(databases, example.db_id)
    if "ex" in options.metrics:
        judged = _with_outcome(example, judged, judge, first, "ex", options)
    if "ts" not in options.metrics:
        return judged
    if judged.ex is not False or "ex" in judged.official:
        return _with_outcome(example, judged, judge, suite, "ts", options)
    return replace(judged, ts=False)  # the suite begins with the same file, perhaps a slow one


def _with_outcome(
    example: Example,
    judged: Judged,
    judge: Judge,
    files: Sequence[Path],
    metric: str,
    options: Options,
) -> Judged:
    changed = example.predicted if options.bird else as_official(example.predicted)
    text = changed if options.official else example.predicted
    outcome = _outcome(example, judge, files, text)
    official = outcome if changed == text else _outcome(example, judge, files, changed)
    errors = {**judged.errors, **({metric: outcome.error} if outcome.error else {})}
    verdicts: dict[str, Any] = {metric: outcome.correct}
    if None not in (official.correct, outcome.correct) and official.correct != outcome.correct:
        verdicts["official"] = {**judged.official, metric: official.correct}
    valid = judged.valid if judged.valid is not None or outcome.correct is None else outcome.runs
    return replace(judged, errors=errors, valid=valid, **verdicts)


def _outcome(example: Example, judge: Judge, files: Sequence[Path], text: str) -> Outcome:
    return judge.judge(example.gold, text, [file for file in files if file.is_file()])
