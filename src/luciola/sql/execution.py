"""Execution accuracy: an answer is right if its result equals the result of the gold query.

The rule is that of Spider's official evaluator, or BIRD's (see `rules`).
Dropping is done on pieces of our own lexer instead of sqlparse's tokens: the text is the same for
all 4,742 different gold queries of Spider's training and validation parts.

Deviations, both from running answers as hostile input: an answer that passes a limit of the sandbox
is wrong, where the official evaluator would wait; and where a gold query fails, its item is left
out and told, not an assertion. Left out: replacing the word `value` by 1 in answers, a slip of the
official script that breaks column names, and plugging in gold literals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from luciola.errors import DatabaseError, LuciolaError, SqlError, SqlInvalidError
from luciola.sql.comparison import order_matters, same_result
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.failures import failure_of
from luciola.sql.rules import SPIDER, Rule, prepared

__all__ = [
    "TOO_DEEP",
    "Item",
    "Report",
    "Verdict",
    "evaluate",
    "judge",
    "order_matters",
    "prepared",
    "same_result",
]

TOO_DEEP = "the query is nested too deeply"


@dataclass(frozen=True)
class Item:
    """An answer to be judged, and where gold runs; `unanswered` says why there is no answer."""

    gold: str
    predicted: str
    database: str | Path
    unanswered: str = ""


@dataclass(frozen=True)
class Verdict:
    """What came of one answer.

    Args:
        correct: whether its result is gold's.
        error: why the answer did not run; None if it ran.
        gold_error: why there is nothing to compare with: the gold query fails, or the database
            cannot be read.
        unanswered: why there is no answer; "" where there is one.
    """

    correct: bool
    error: SqlError | None = None
    gold_error: LuciolaError | None = None
    unanswered: str = ""

    @property
    def ran(self) -> bool:
        return self.error is None and not self.unanswered

    @property
    def outcome(self) -> str:
        """One word: a key of `OUTCOMES`."""
        if self.gold_error is not None:
            return "not judged"
        if self.unanswered:
            return "not answered"
        if self.error is not None:
            return failure_of(self.error)
        return "right" if self.correct else "wrong result"

    @property
    def reason(self) -> str:
        """Why the answer is not right; "" where it is."""
        if self.gold_error is not None:
            is_gold = not isinstance(self.gold_error, DatabaseError)
            return f"gold fails: {self.gold_error.message}" if is_gold else self.gold_error.message
        if self.unanswered:
            return self.unanswered
        if self.error is not None:
            return self.error.message
        return "" if self.correct else "its result differs from gold's"


OUTCOMES = {
    "right": "right",
    "wrong result": "runs, with another result than gold",
    "table": "names a table that the database lacks",
    "column": "names a column that the database lacks",
    "invalid": "is not accepted by the database",
    "write": "wants to do more than read",
    "limit": "passes a limit of time, rows or size",
    "not answered": "has no answer",
    "not judged": "cannot be judged: gold fails, or the database cannot be read",
}
"""Every outcome of an answer, and what it means."""


@dataclass(frozen=True)
class Report:
    """`verdicts` in the order of the items."""

    verdicts: tuple[Verdict, ...]

    @property
    def judged(self) -> int:
        """Number of answers whose gold query runs."""
        return sum(verdict.gold_error is None for verdict in self.verdicts)

    @property
    def right(self) -> int:
        """Number of right answers."""
        return sum(verdict.correct for verdict in self.verdicts)

    @property
    def execution_accuracy(self) -> float:
        """Share of right answers among those that could be judged, 0 to 1; 0 without any."""
        return self.right / max(1, self.judged)

    @property
    def not_running(self) -> int:
        """Number of answers that the database refused or that passed a limit."""
        return sum(verdict.error is not None for verdict in self.verdicts)

    @property
    def unanswered(self) -> int:
        """Number of questions that the model could not answer; they count as wrong."""
        return sum(bool(verdict.unanswered) for verdict in self.verdicts)


def judge(
    gold: str,
    predicted: str,
    database: str | Path,
    sandbox: Sandbox,
    *,
    rule: Rule = SPIDER,
) -> Verdict:
    """Run both queries and compare their results; whatever fails is part of the verdict."""
    try:
        expected = sandbox.run(rule.prepare(gold), database=database)
    except RecursionError:
        return Verdict(correct=False, gold_error=SqlInvalidError(TOO_DEEP))
    except (SqlError, DatabaseError) as error:
        return Verdict(correct=False, gold_error=error)
    query = rule.prepare(predicted)
    if query == rule.prepare(gold):
        return Verdict(correct=True)
    try:
        found = sandbox.run(query, database=database)
        return Verdict(rule.same(expected.rows, found.rows, gold))
    except RecursionError:
        return Verdict(correct=False, error=SqlInvalidError(TOO_DEEP))
    except SqlError as error:
        return Verdict(correct=False, error=error)
    except DatabaseError as error:  # not the answer's fault
        return Verdict(correct=False, gold_error=error)


def evaluate(items: Sequence[Item], sandbox: Sandbox, *, rule: Rule = SPIDER) -> Report:
    """Judge all items, as many at the same time as the sandbox has workers."""

    def verdict(item: Item) -> Verdict:
        if item.unanswered:
            return Verdict(correct=False, unanswered=item.unanswered)
        return judge(item.gold, item.predicted, item.database, sandbox, rule=rule)

    return Report(tuple(sandbox.at_once(verdict, items)))
