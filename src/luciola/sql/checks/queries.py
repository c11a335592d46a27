"""Gold against gold: every query is run as it is for judging, and parsed as for exact match."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from luciola.errors import DatabaseError, SqlError, SqlTimeoutError
from luciola.sql.checks.finding import Finding
from luciola.sql.checks.questions import Part
from luciola.sql.database.judging import judging_sandbox
from luciola.sql.database.result import Result
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.execution import prepared
from luciola.sql.official.evaluate import as_official
from luciola.sql.official.grammar import parse
from luciola.sql.official.match import matches, partial_scores
from luciola.sql.official.normal import normal
from luciola.sql.official.problem import Problem
from luciola.sql.official.schema import Schema, from_sqlite
from luciola.sql.official.tokens import tokenize
from luciola.sql.question import Question

STEP = 200
"""Queries between two words about progress."""
Files = Mapping[tuple[str, str], Path]
"""The file of a database, by split and db_id; those that cannot be read are not in it."""
Place = tuple[Path, str]
Progress = Callable[[int, int], None]


def query_findings(
    parts: Sequence[Part], files: Files, *, timeout_s: float, workers: int, progress: Progress
) -> Iterator[Finding]:
    """What does not run, returns nothing, or is not parsed; each query on a database runs once."""
    asked = [
        (part, index, question, files[part.name, question.db_id])
        for part in parts
        for index, question in enumerate(part.questions, 1)
        if question.query and (part.name, question.db_id) in files
    ]
    places = list(dict.fromkeys((file, question.query) for _, _, question, file in asked))
    run = run_all(places, timeout_s=timeout_s, workers=workers, progress=progress)
    parsed = _parse_all(places)
    for part, index, question, file in asked:
        where = f"{part.name} {index} ({question.db_id})"
        place = (file, question.query)
        for kind, said in (run[place], parsed[place]):
            if kind:
                yield Finding(kind, where, f"{said}: {_short(question)}")


def run_all(
    places: Sequence[Place], *, timeout_s: float, workers: int, progress: Progress
) -> dict[Place, tuple[str, str]]:
    """The kind of finding and the reason for each query; empty texts where all is well."""
    found: dict[Place, tuple[str, str]] = {}
    # whether there is any row is all that is asked
    with judging_sandbox(timeout_s=timeout_s, workers=workers, first_row=True) as sandbox:
        for start in range(0, len(places), STEP):
            some = places[start : start + STEP]
            queries = [prepared(query) for _, query in some]
            results = _results(sandbox, queries, [file for file, _ in some])
            found.update(zip(some, map(_judged, results), strict=True))
            progress(min(start + STEP, len(places)), len(places))
    return found


def _results(
    sandbox: Sandbox, queries: Sequence[str], files: Sequence[Path]
) -> Sequence[Result | SqlError | DatabaseError]:
    """All at once; one by one where a damaged database ends that."""
    try:
        return sandbox.run_many(queries, databases=files)
    except DatabaseError:
        return [_result(sandbox, *place) for place in zip(queries, files, strict=True)]


def _result(sandbox: Sandbox, query: str, file: Path) -> Result | SqlError | DatabaseError:
    try:
        return sandbox.run(query, database=file)
    except (SqlError, DatabaseError) as error:
        return error


def _judged(result: Result | SqlError | DatabaseError) -> tuple[str, str]:
    if isinstance(result, SqlTimeoutError):
        return "gold too slow", result.message
    if isinstance(result, Result):
        return ("", "") if result.rows else ("empty result", "no row")
    return "gold fails", result.message


def _parse_all(places: Sequence[Place]) -> dict[Place, tuple[str, str]]:
    schemas: dict[Path, Schema] = {}
    found: dict[Place, tuple[str, str]] = {}
    for file, query in places:
        if file not in schemas:
            schemas[file] = from_sqlite(file, {})
        found[file, query] = _parsed(query, schemas[file])
    return found


def _parsed(query: str, schema: Schema) -> tuple[str, str]:
    try:
        gold = normal(parse(tokenize(query), schema), schema)
    except Problem as problem:
        return "official parser", problem.message
    if "value" not in query:
        return "", ""
    try:
        changed = normal(parse(tokenize(as_official(query)), schema), schema)
    except Problem as problem:
        return "official value", problem.message
    scores = partial_scores(changed, gold)
    return ("", "") if matches(scores, changed, gold) else ("official value", "differs from itself")


def _short(question: Question) -> str:
    text = " ".join(question.query.split())
    return text if len(text) <= 100 else text[:99] + "…"


__all__ = ["Files", "Progress", "query_findings", "run_all"]
