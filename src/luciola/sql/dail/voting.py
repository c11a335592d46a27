"""Self-consistency by execution: of several queries for one question, the one that most agree with.

    vote(["SELECT 2", "SELECT 1", "SELECT 1.0", "SELECT no"], database, sandbox).sql ▶ "SELECT 1"

Source: Gao et al. 2023, https://arxiv.org/abs/2308.15363, by the published code's rules. Queries
run as for judging (`execution.prepared`: without DISTINCT), on one database file. Those that fail
are left out. Each of the others joins the first group whose first query has the same result by
Spider's rule, the rows' order aside. The first query of the largest group wins, of equally large
ones that of the earliest. If all fail, the first query is the answer.

Deviations: queries run in the sandbox, so that one that runs for ever fails at its time limit,
where the published code would wait; and where a folder has several database files, the one named
after the folder is taken, where the published code takes whichever the system lists first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from luciola.errors import LuciolaError
from luciola.sql.comparison import same_result
from luciola.sql.database.judging import judging_sandbox
from luciola.sql.database.result import Result
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.execution import prepared
from luciola.sql.place import database_file, find_database


@dataclass(frozen=True)
class Vote:
    """How a question was decided.

    Args:
        sql: the answer, as it was written.
        votes: queries with its result, itself included; 0 where all failed.
        ran: queries that ran.
        asked: queries in all.
    """

    sql: str
    votes: int
    ran: int
    asked: int


def voting_sandbox(*, workers: int, timeout_s: float) -> Sandbox:
    """A sandbox with the limits that queries have when they are judged."""
    return judging_sandbox(workers=workers, timeout_s=timeout_s)


def vote(queries: Sequence[str], database: Path, sandbox: Sandbox) -> Vote:
    """The answer to one question.

    Raises: ValueError without a query.
    """
    if not queries:
        raise ValueError("there is no query to vote for")
    groups: list[tuple[Result, list[str]]] = []
    for query, result in _that_run(queries, database, sandbox):
        for first, members in groups:
            if same_result(first.rows, result.rows, ordered=False):
                members.append(query)
                break
        else:
            groups.append((result, [query]))
    ran = sum(len(members) for _, members in groups)
    largest = max((members for _, members in groups), key=len, default=[])  # the earliest of equals
    return Vote(largest[0] if largest else queries[0], len(largest), ran, len(queries))


def vote_all(
    queries: Sequence[Sequence[str]], databases: Sequence[Path], sandbox: Sandbox
) -> list[Vote]:
    """The answers to all questions, as many at the same time as the sandbox has workers."""
    return list(sandbox.at_once(lambda one, where: vote(one, where, sandbox), queries, databases))


def voting_file(folder: str | Path, db_id: str) -> Path:
    """The file on which the queries to a database run: where it is named otherwise, the first.

    Raises: DatabaseError where there is none, or the name leads out of the folder.
    """
    found = find_database([Path(folder)], db_id)
    if found is None and db_id and Path(db_id).name == db_id:
        found = next(iter(sorted(Path(folder, db_id).glob("*.sqlite"))), None)
    return found or database_file([Path(folder)], db_id)


def _that_run(
    queries: Sequence[str], database: Path, sandbox: Sandbox
) -> Iterator[tuple[str, Result]]:
    """Each query that runs, with its result; equal ones run once."""
    known: dict[str, Result | None] = {}
    for query in queries:
        text = prepared(query)
        if text not in known:
            known[text] = _result(text, database, sandbox)
        result = known[text]
        if result is not None:
            yield query, result


def _result(sql: str, database: Path, sandbox: Sandbox) -> Result | None:
    try:
        return sandbox.run(sql, database=database)
    except (LuciolaError, RecursionError):  # a locked database costs this query, not all the others
        return None
