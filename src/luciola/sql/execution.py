"""Execution accuracy: an answer is right if its result equals the result of the gold query.

The rule is that of Spider's official evaluator (see `comparison`), with its preparation of both
queries: `> =` is joined, DISTINCT is dropped unless asked otherwise, YEAR(CURDATE()) becomes 2020.
Dropping is done on pieces of our own lexer instead of sqlparse's tokens: the text is the same for
all 4,742 different gold queries of Spider's training and validation parts.

Deviations, both from running answers as hostile input: an answer that passes a limit of the sandbox
is wrong, where the official evaluator would wait; and a gold query that fails is an error that says
which one, not an assertion. Left out: replacing the word `value` by 1 in answers, a slip of the
official script that breaks column names, and plugging in gold literals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from luciola.errors import DataError, SqlError
from luciola.sql.comparison import order_matters, same_result
from luciola.sql.lexer import pieces
from luciola.sql.result import Result
from luciola.sql.sandbox import Sandbox

__all__ = ["Item", "Report", "Verdict", "evaluate", "judge", "order_matters", "same_result"]

SPLIT_OPERATOR = re.compile(r"([<>!]) =")
THIS_YEAR = re.compile(r"YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """An answer to be judged, and where its gold query runs."""

    gold: str
    predicted: str
    database: str | Path


@dataclass(frozen=True)
class Verdict:
    """`error` says why the answer did not run; None if it ran."""

    correct: bool
    error: SqlError | None = None

    @property
    def ran(self) -> bool:
        return self.error is None


@dataclass(frozen=True)
class Report:
    """`verdicts` in the order of the items."""

    verdicts: tuple[Verdict, ...]

    @property
    def execution_accuracy(self) -> float:
        """Share of right answers, 0 to 1; 0 where there are none."""
        return sum(verdict.correct for verdict in self.verdicts) / max(1, len(self.verdicts))

    @property
    def not_running(self) -> int:
        """Number of answers that the database refused or that passed a limit."""
        return sum(not verdict.ran for verdict in self.verdicts)


def prepared(sql: str, *, keep_distinct: bool = False) -> str:
    """The query as it is run for judging; only its first statement unless `keep_distinct`."""
    sql = SPLIT_OPERATOR.sub(r"\1=", sql)
    if not keep_distinct:
        sql = "".join(_without_distinct(sql))
    return THIS_YEAR.sub("2020", sql)


def judge(
    gold: str,
    predicted: str,
    database: str | Path,
    sandbox: Sandbox,
    *,
    keep_distinct: bool = False,
) -> Verdict:
    """Run both queries and compare their results.

    Raises: DataError where the gold query does not run; DatabaseError where the database cannot be
        read.
    """
    expected = _gold_result(gold, database, sandbox, keep_distinct)
    query = prepared(predicted, keep_distinct=keep_distinct)
    if query == prepared(gold, keep_distinct=keep_distinct):
        return Verdict(correct=True)
    try:
        found = sandbox.run(query, database=database)
    except SqlError as error:
        return Verdict(correct=False, error=error)
    return Verdict(same_result(expected.rows, found.rows, order_matters(gold)))


def evaluate(items: Sequence[Item], sandbox: Sandbox, *, keep_distinct: bool = False) -> Report:
    """Judge all items, as many at the same time as the sandbox has workers.

    Raises: DataError for the first item whose gold query does not run.
    """

    def verdict(item: Item) -> Verdict:
        return judge(item.gold, item.predicted, item.database, sandbox, keep_distinct=keep_distinct)

    if sandbox.workers == 1:
        return Report(tuple(map(verdict, items)))
    with ThreadPoolExecutor(sandbox.workers) as threads:
        return Report(tuple(threads.map(verdict, items)))


def _gold_result(gold: str, database: str | Path, sandbox: Sandbox, keep_distinct: bool) -> Result:
    try:
        return sandbox.run(prepared(gold, keep_distinct=keep_distinct), database=database)
    except SqlError as error:
        raise DataError(
            f"the gold query {gold!r} does not run on {database}: {error.message}",
            remedy="Correct the pair, or raise the sandbox's limits.",
        ) from None


def _without_distinct(sql: str) -> Iterator[str]:
    for piece in pieces(sql):
        if piece.kind != "word" or piece.text.lower() != "distinct":
            yield piece.text
        if piece.text == ";":
            return
