"""Execution accuracy on one database, and test-suite accuracy on all files of its folder.

A prediction is right if its result equals that of gold on every file. Queries run in the sandbox,
so that the time limit holds; the official evaluator's does not. A result is kept per file and
query, since gold queries repeat.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from luciola.errors import DatabaseError, LuciolaError, SqlInvalidError
from luciola.sql.database.limits import MIB
from luciola.sql.database.result import Result
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.execution import TOO_DEEP
from luciola.sql.lexer import pieces
from luciola.sql.official.kept import KeptResults
from luciola.sql.place import find_database, places
from luciola.sql.rules import Rule

MAX_PLUGGED = 1_000
"""Predictions with gold literals that are tried at most; the official evaluator has no bound."""
UNREADABLE = "not judged: "
"""How the error of an example begins whose database cannot be read: gone, or locked."""
KEPT_BYTES = 64 * MIB
"""Memory of the gold results that are kept."""
LOGS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Outcome:
    """`correct` is None where gold fails or the database cannot be read; `runs`: the prediction."""

    correct: bool | None
    runs: bool
    error: str | None = None


def database_file(databases: Path, db_id: str) -> Path:
    """Where a database is; where it is nowhere, the place where the official layout keeps it."""
    return find_database([databases], db_id) or places(databases, db_id)[0]


def suite_files(databases: Path, db_id: str) -> list[Path]:
    """All files of a database's folder whose name contains `.sqlite`, the database itself first.

    A file beside those of other databases, FOLDER/ID.sqlite, is alone.
    """
    first = database_file(databases, db_id)
    if first.parent == databases:
        return [first]
    found = sorted(first.parent.glob("*.sqlite*"))
    others = [path for path in found if path != first and not path.name.endswith(LOGS)]
    return [first, *others] if first in found else others


class Judge:
    """Compares results; keeps gold's, of which the same are asked for again and again."""

    def __init__(self, sandbox: Sandbox, rule: Rule, *, plug_value: bool) -> None:
        self.sandbox = sandbox
        self.rule = rule
        self.plug_value = plug_value
        self._gold = KeptResults(KEPT_BYTES)

    def judge(self, gold: str, predicted: str, files: Sequence[Path]) -> Outcome:
        """Whether the prediction, or one of it with gold's literals, is right on all files."""
        if not files:
            return Outcome(None, runs=False, error=f"{UNREADABLE}there is no database file")
        outcome = self._on_all(gold, predicted, files)
        if outcome.correct is not False or not self.plug_value:
            return outcome
        for candidate in itertools.islice(plugged(gold, predicted), MAX_PLUGGED):
            if self._on_all(gold, candidate, files).correct:
                return Outcome(correct=True, runs=True)
        return outcome

    def _on_all(self, gold: str, predicted: str, files: Sequence[Path]) -> Outcome:
        for file in files:
            outcome = self._on_one(gold, predicted, file)
            if outcome.correct is False and len(files) > 1:
                return replace(outcome, error=f"on {file.name}: {outcome.error}")
            if not outcome.correct:
                return outcome
        return outcome

    def _on_one(self, gold: str, predicted: str, file: Path) -> Outcome:
        query = self.rule.prepare(predicted).strip()
        wanted_query = self.rule.prepare(gold).strip()
        wanted = self._gold_result(wanted_query, file)
        if isinstance(wanted, DatabaseError):
            return Outcome(None, runs=False, error=f"{UNREADABLE}{wanted.message}")
        if isinstance(wanted, LuciolaError):
            return Outcome(None, runs=False, error=f"gold fails on {file.name}: {wanted.message}")
        if not query:
            return Outcome(correct=False, runs=False, error="the prediction is empty")
        if query == wanted_query:
            return Outcome(correct=True, runs=True)
        found = self._run(query, file)
        if isinstance(found, DatabaseError):  # not the prediction's fault
            return Outcome(None, runs=False, error=f"{UNREADABLE}{found.message}")
        if isinstance(found, LuciolaError):
            return Outcome(correct=False, runs=False, error=found.message)
        try:
            if self.rule.same(wanted.rows, found.rows, gold):
                return Outcome(correct=True, runs=True)
        except RecursionError:
            return Outcome(correct=False, runs=True, error="too many columns to be paired")
        return Outcome(correct=False, runs=True, error="its result differs from gold's")

    def _gold_result(self, query: str, file: Path) -> Result | LuciolaError:
        found = self._gold.get((file, query))
        if found is None:
            found = self._run(query, file)
            if not isinstance(found, DatabaseError):  # a lock may be gone for the next
                self._gold.keep((file, query), found)
        return found

    def _run(self, query: str, file: Path) -> Result | LuciolaError:
        try:
            return self.sandbox.run(query, database=file)
        except LuciolaError as error:
            return error
        except RecursionError:
            return SqlInvalidError(TOO_DEEP)


def plugged(gold: str, predicted: str) -> Iterator[str]:
    """The prediction with every combination of gold's literals in the places of its own."""
    values = list(dict.fromkeys(text for kind, text in pieces(gold) if _is_literal(kind, text)))
    parts = list(pieces(predicted))
    slots = [index for index, part in enumerate(parts) if _is_literal(*part)]
    for chosen in itertools.product(values, repeat=len(slots)):
        texts = [part.text for part in parts]
        for index, value in zip(slots, chosen, strict=True):
            texts[index] = value
        yield "".join(texts)


def _is_literal(kind: str, text: str) -> bool:
    return kind in ("string", "number") or (kind == "quoted" and text[0] == '"')
