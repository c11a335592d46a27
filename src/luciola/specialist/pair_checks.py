"""Whether pairs fit their databases: every query is run before a model is trained on it.

A query whose first row comes is fine; no more of its result is fetched. One that passes a limit is
kept, because a slow query is not a wrong one, and so is one that returns nothing; both are counted.
What cannot run is left out with a notice, and beyond a share the pairs are refused.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import cpu_count

from luciola.errors import DatabaseError, DataError, LuciolaError
from luciola.runs.progress import Progress
from luciola.specialist.checked_queries import CheckedQueries
from luciola.specialist.evaluating import Databases
from luciola.specialist.pairs import Pair
from luciola.sql.database.allowed import Allowed
from luciola.sql.failures import failure_of
from luciola.sql.sandbox import Sandbox

REASONS = {
    "database": "whose database cannot be read",
    "table": "with a table that the database lacks",
    "column": "with a column that the database lacks",
    "write": "that do more than read what they may",
    "invalid": "that the database does not accept",
}
"""Why pairs are left out, as said behind their number."""
KEPT = {
    "limit": "that pass a limit and were stopped; they are kept",
    "empty": "that return no rows; they are kept",
}
NOT_ACCEPTED = "the database does not accept the query: "
"""What the kind says already."""
MAX_WORKERS = 8


@dataclass(frozen=True)
class Outcome:
    """What came of running one query: a key of `REASONS` or `KEPT`, or "" where it is fine."""

    kind: str = ""
    message: str = ""

    @property
    def is_usable(self) -> bool:
        return self.kind not in REASONS


@dataclass(frozen=True)
class CheckedPairs:
    """Pairs with what came of each.

    Args:
        pairs: all of them, in their order.
        outcomes: one for each.
    """

    pairs: Sequence[Pair]
    outcomes: Sequence[Outcome]

    @property
    def usable(self) -> list[Pair]:
        """The pairs whose SQL runs."""
        return [pair for pair, one in self._both() if one.is_usable]

    def parted(self, at: int) -> tuple[list[Pair], list[Pair]]:
        """The usable ones among the first `at` pairs, and among the others."""
        first = CheckedPairs(self.pairs[:at], self.outcomes[:at])
        return first.usable, CheckedPairs(self.pairs[at:], self.outcomes[at:]).usable

    @property
    def num_failing(self) -> int:
        return sum(not one.is_usable for one in self.outcomes)

    def lines(self) -> Iterator[str]:
        """For each kind how many there are, and the first: its file, its line and the reason."""
        for kind, words in (*REASONS.items(), *KEPT.items()):
            found = [(pair, one) for pair, one in self._both() if one.kind == kind]
            if found:
                pair, first = min(found, key=_place_in_file)  # the split shuffles them
                why = f" ({first.message})" if first.message else ""
                yield f"{len(found):,} {words}; the first: {pair.origin}{why}"

    def _both(self) -> Iterator[tuple[Pair, Outcome]]:
        return zip(self.pairs, self.outcomes, strict=True)


def check_pairs(
    pairs: Sequence[Pair],
    databases: Databases,
    *,
    timeout_s: float = 5.0,
    workers: int | None = None,
    known: CheckedQueries | None = None,
    show: bool = False,
    allowed: Allowed | None = None,
) -> CheckedPairs:
    """Run the SQL of every pair, several at a time; the same SQL on a database runs once.

    Args:
        databases: where the pairs' databases lie.
        timeout_s: seconds that one query may run.
        workers: queries at a time; None: as many as there are cores, at most 8.
        known: outcomes of an earlier time, which is added to.
        show: a bar, where there is a terminal.
        allowed: what the queries may read; None: everything.

    Raises: DatabaseError where there is but one database, and it cannot be read.
    """
    places = [_place(pair, databases) for pair in pairs]
    runs = list(
        dict.fromkeys(
            (place, pair.query)
            for pair, place in zip(pairs, places, strict=True)
            if isinstance(place, str)
        )
    )
    runs.sort(key=lambda run: run[0])  # a worker keeps few databases open
    known = known if known is not None else CheckedQueries(None)
    found = {run: Outcome(*kept) for run in runs if (kept := known.find(*run)) is not None}
    waiting = [run for run in runs if run not in found]
    number = min(workers or min(cpu_count() or 1, MAX_WORKERS), max(1, len(waiting)))
    bar = Progress(len(waiting), what="checking pairs", show=_is_shown(show, waiting))
    limits = Sandbox(timeout_s=timeout_s, max_rows=1, workers=number, allowed=allowed)
    with bar, limits as sandbox:
        _run_all(waiting, sandbox, _trying(sandbox, databases), known, found, bar)
    return CheckedPairs(
        pairs,
        [
            found[place, pair.query] if isinstance(place, str) else place
            for pair, place in zip(pairs, places, strict=True)
        ],
    )


def check_share(checked: CheckedPairs, databases: Databases, most: float, *, setting: str) -> None:
    """Raises: DataError where more than the share `most` of the pairs cannot run, or all of them.

    Args:
        setting: what the share is called where it can be changed.
    """
    failing, total = checked.num_failing, len(checked.pairs)
    if failing == 0 or (failing < total and failing <= most * total):
        return
    reasons = "; ".join(line for line in checked.lines() if "are kept" not in line)
    limit = "" if failing == total else f", and {setting} is {most:g}"
    raise DataError(
        f"{failing:,} of {total:,} pairs do not run on {databases.display_name}{limit}: {reasons}",
        path=checked.pairs[0].origin.path or None,
        remedy=_remedy(checked, databases, setting),
    )


def _remedy(checked: CheckedPairs, databases: Databases, setting: str) -> str:
    names = {pair.database for pair in checked.pairs} - {""}
    if len(names) > 1 and not databases.is_folder:
        return (
            f"The pairs name {len(names):,} databases (db_id): give the folder that holds them "
            "as ID/ID.sqlite."
        )
    if checked.num_failing == len(checked.pairs):
        return "Check that these pairs belong to this database."
    return (
        "Check that these pairs belong to this database and that it has not changed since; "
        f"{setting}=1 trains on the others."
    )


Try = Callable[[tuple[str, str]], Outcome]


def _trying(sandbox: Sandbox, databases: Databases) -> Try:
    def attempt(run: tuple[str, str]) -> Outcome:
        place, sql = run
        try:
            result = sandbox.run(sql, database=place, truncate=True)
        except DatabaseError as error:
            if not databases.is_folder:
                raise
            return Outcome("database", error.message)
        except LuciolaError as error:
            return Outcome(failure_of(error), error.message.removeprefix(NOT_ACCEPTED))
        return Outcome() if result.rows else Outcome("empty")

    return attempt


def _run_all(
    waiting: Sequence[tuple[str, str]],
    sandbox: Sandbox,
    attempt: Try,
    known: CheckedQueries,
    found: dict[tuple[str, str], Outcome],
    bar: Progress,
) -> None:
    """Fill `found`; what was found is kept also where something ends this half-way."""
    if not waiting:
        return
    try:
        tried = zip(waiting, sandbox.at_once(attempt, waiting), strict=True)
        for done, (run, outcome) in enumerate(tried, 1):
            found[run] = outcome
            if outcome.kind not in ("limit", "database"):  # another time may end otherwise
                known.keep(*run, (outcome.kind, outcome.message))
            bar.update(done)
    finally:
        known.save()


def _place_in_file(found: tuple[Pair, Outcome]) -> tuple[str, int]:
    origin = found[0].origin
    return origin.path, origin.line


def _place(pair: Pair, databases: Databases) -> str | Outcome:
    """Where a pair's SQL runs, or that its database is nowhere."""
    try:
        return databases.of(pair)
    except (DataError, DatabaseError) as error:
        if not databases.is_folder:
            raise
        where = f"{pair.origin}: "
        return Outcome("database", error.message.removeprefix(where))


def _is_shown(show: bool, waiting: Sequence[tuple[str, str]]) -> bool:
    return show and bool(waiting) and sys.stderr.isatty()
