"""What an evaluation found, to be read: outcomes in all, by database and by hardness, and every
answer that is not right with its reason.

Written as Markdown for people (`page`) and as JSON for programs (`report`). Hardness is Spider's,
after the parts of the gold query; where that cannot be parsed, or the database is no SQLite file,
it is "unknown".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from luciola.errors import LuciolaError
from luciola.specialist.pairs import Pair
from luciola.sql.execution import OUTCOMES, Verdict
from luciola.sql.official.grammar import parse
from luciola.sql.official.hardness import LEVELS, hardness
from luciola.sql.official.lenient import tokenize_leniently
from luciola.sql.official.problem import Problem
from luciola.sql.official.query import Query
from luciola.sql.official.report import BIRD_LEVELS
from luciola.sql.official.schema import Schema, from_sqlite
from luciola.sql.official.tokens import tokenize

UNKNOWN = "unknown"
QUESTION_SHOWN = 300
SQL_SHOWN = 1_000


@dataclass(frozen=True)
class Judged:
    """One answer with its verdict.

    Args:
        number: of the pair, from 1.
        level: the data set's own word for its difficulty; else easy, medium, hard, extra or
            unknown.
        database: the pair's db_id, or the database's own name.
    """

    number: int
    pair: Pair
    predicted: str
    verdict: Verdict
    level: str
    database: str


def judged_pairs(
    pairs: Sequence[Pair],
    predictions: Sequence[str],
    verdicts: Sequence[Verdict],
    places: Sequence[str],
) -> list[Judged]:
    """Everything that is known of each answer."""
    level = _levels()
    each = enumerate(zip(pairs, predictions, verdicts, places, strict=True), 1)
    return [
        Judged(
            number,
            pair,
            sql,
            verdict,
            pair.difficulty or level(place, pair.query),
            pair.database or Path(place).name,
        )
        for number, (pair, sql, verdict, place) in each
    ]


def report(judged: Sequence[Judged], *, model: str) -> dict[str, Any]:
    """The report for JSON: `summary` with outcomes in all and by group, and `examples`."""
    return {
        "summary": {
            "model": model,
            **_figures(judged),
            "by_hardness": {name: _figures(group) for name, group in by_level(judged).items()},
            "by_database": {name: _figures(group) for name, group in by_database(judged).items()},
        },
        "examples": [
            {
                "number": one.number,
                "origin": str(one.pair.origin),
                "db_id": one.database,
                "hardness": one.level,
                "question": one.pair.question,
                "gold": one.pair.query,
                "predicted": one.predicted,
                "outcome": one.verdict.outcome,
                "reason": one.verdict.reason or None,
            }
            for one in judged
        ],
    }


def page(judged: Sequence[Judged], *, model: str, database: str) -> str:
    """The report as Markdown."""
    figures = _figures(judged)
    lines = [
        f"# Answers of {model}",
        "",
        f"Database: {database}. {len(judged):,} questions, {figures['judged']:,} judged, "
        f"{figures['right']:,} right: execution accuracy {figures['execution_accuracy']:.1%}.",
        "",
        *_table("outcome", {OUTCOMES[name]: n for name, n in figures["outcomes"].items()}),
        "",
        *_groups("hardness", by_level(judged)),
        "",
        *_groups("database", by_database(judged)),
    ]
    for outcome in list(OUTCOMES)[1:]:
        lines += _failures(outcome, [one for one in judged if one.verdict.outcome == outcome])
    return "\n".join(lines) + "\n"


def by_level(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The answers by hardness, the easiest first."""
    known = [*LEVELS, *BIRD_LEVELS]
    own = dict.fromkeys(one.level for one in judged if one.level not in (*known, UNKNOWN))
    levels = (*known, *own, UNKNOWN)
    groups = {level: [one for one in judged if one.level == level] for level in levels}
    return {level: group for level, group in groups.items() if group}


def by_database(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The answers by database, the one with the most failures first."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(one.database, []).append(one)

    def failures(name: str) -> tuple[int, str]:
        return -sum(one.verdict.outcome != "right" for one in groups[name]), name

    return {name: groups[name] for name in sorted(groups, key=failures)}


def _figures(judged: Sequence[Judged]) -> dict[str, Any]:
    counts = Counter(one.verdict.outcome for one in judged)
    total = len(judged) - counts["not judged"]
    return {
        "count": len(judged),
        "judged": total,
        "right": counts["right"],
        "execution_accuracy": counts["right"] / total if total else 0.0,
        "outcomes": {name: counts[name] for name in OUTCOMES if counts[name]},
    }


def _table(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield f"| {title} | answers |"
    yield "| --- | ---: |"
    yield from (f"| {name} | {count:,} |" for name, count in counts.items())


def _groups(title: str, groups: Mapping[str, Sequence[Judged]]) -> Iterator[str]:
    yield f"| {title} | questions | right | another result | do not run | other |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name, group in groups.items():
        counts = Counter(one.verdict.outcome for one in group)
        right, wrong = counts["right"], counts["wrong result"]
        other = counts["not answered"] + counts["not judged"]
        failed = len(group) - right - wrong - other
        share = f"{right} ({right / len(group):.0%})"
        yield f"| {name} | {len(group)} | {share} | {wrong} | {failed} | {other} |"


def _failures(outcome: str, group: Sequence[Judged]) -> Iterator[str]:
    if not group:
        return
    yield ""
    yield f"## {len(group):,} x: {OUTCOMES[outcome]}"
    for one in group:
        yield ""
        yield f"**{one.number}. {_short(one.pair.question, QUESTION_SHOWN)}** ({_where(one)})"
        yield ""
        yield f"* reason: {_short(one.verdict.reason, QUESTION_SHOWN)}"
        yield f"* written: {_code(one.predicted)}"
        yield f"* gold: {_code(one.pair.query)}"


def _where(one: Judged) -> str:
    return ", ".join(part for part in (one.database, one.level, str(one.pair.origin)) if part)


def _code(sql: str) -> str:
    text = _short(sql, SQL_SHOWN)
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if text else "nothing"


def _short(text: str, longest: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _parsed(gold: str, schema: Schema) -> Query:
    """By the official grammar; leniently only where that does not take the query."""
    try:
        return parse(tokenize(gold), schema)
    except Problem:
        return parse(tokenize_leniently(gold, schema), schema)


def _levels() -> Callable[[str, str], str]:
    """The hardness of a gold query on a database, each schema read once."""

    @cache
    def schema(place: str) -> Schema | None:
        try:
            return from_sqlite(Path(place), {})
        except LuciolaError:  # gone or locked, which is asked once
            return None

    def level(place: str, gold: str) -> str:
        if "://" in place:
            return UNKNOWN
        try:
            read = schema(place)
            return UNKNOWN if read is None else hardness(_parsed(gold, read))
        except (Problem, RecursionError):
            return UNKNOWN

    return level
