"""Prompts for a list of questions: zero-shot, or with examples chosen from a pool.

questions ▶ masked, skeletons ▶ distances, likeness ▶ candidates ▶ prompts
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from luciola.errors import ConfigError
from luciola.sql.dail.databases import Databases
from luciola.sql.dail.organization import Budget, Example, Organization, Prompt, few_shot
from luciola.sql.dail.representation import Representation
from luciola.sql.dail.same import same_questions
from luciola.sql.dail.selection import (
    THRESHOLD,
    Likeness,
    RandomOrder,
    Selection,
    candidates,
    ranked,
)
from luciola.sql.dail.similarity import bm25
from luciola.sql.question import Question

__all__ = ["Compare", "FewShot", "Question", "choose", "with_examples", "zero_shot"]

Compare = Callable[[Sequence[str], Sequence[str]], NDArray[np.float32]]
"""Texts of the targets, and of the pool, to distances (targets, pool)."""


@dataclass(frozen=True)
class FewShot:
    """How examples are chosen and shown.

    Args:
        cross_domain: pass over examples of the target's own database, as for prompts of the pool.
        allow_self: let an example be the question itself, with its gold query, as published;
            commands and studies do not, unless they are told to.
    """

    selection: Selection
    organization: Organization
    shots: int
    threshold: float = THRESHOLD
    budget: Budget | None = None
    cross_domain: bool = False
    allow_self: bool = True


def zero_shot(
    chosen: Representation, questions: Sequence[Question], databases: Databases
) -> Iterator[Prompt]:
    """The prompt of each question, without examples."""
    for asked in questions:
        yield Prompt(chosen.prompt(databases.facts(asked.db_id), asked.question))


def with_examples(
    chosen: Representation,
    way: FewShot,
    questions: Sequence[Question],
    pool: Sequence[Question],
    databases: Databases,
    compare: Compare = bm25,
) -> Iterator[Prompt]:
    """The prompt of each question with examples of the pool, in the order of preference."""
    examples = [Example(row.db_id, row.question, row.query) for row in pool]
    found = choose(way, questions, pool, databases, compare)
    for asked, order in zip(questions, found, strict=True):
        yield few_shot(
            chosen,
            way.organization,
            asked.question,
            databases.facts,
            asked.db_id,
            (examples[index] for index in order),
            shots=way.shots,
            budget=way.budget,
        )


def choose(
    way: FewShot,
    questions: Sequence[Question],
    pool: Sequence[Question],
    databases: Databases,
    compare: Compare = bm25,
) -> Iterator[Iterator[int]]:
    """For each question the candidates in order of preference, as positions in the pool.

    Raises: ConfigError where the selection needs predictions or gold queries that are not there.
    """
    orders = _orders(way, questions, pool, databases, compare)
    pick = partial(candidates, shots=way.shots)
    itself = [frozenset[int]()] * len(questions)
    if not way.allow_self:
        itself = same_questions(questions, pool)
    for asked, order, same in zip(questions, orders, itself, strict=True):
        yield pick(order, same | _excluded(way, asked, pool))


def _orders(
    way: FewShot,
    questions: Sequence[Question],
    pool: Sequence[Question],
    databases: Databases,
    compare: Compare,
) -> Iterator[Sequence[int] | NDArray[np.intp]]:
    chosen = way.selection
    if not chosen.near:
        drawn = RandomOrder(len(pool), way.shots)
        yield from (drawn.next() for _ in questions)
        return
    expected = _expected(chosen, questions, databases)
    texts = _texts(chosen, questions, databases), _texts(chosen, pool, databases)
    compared = pool if chosen.skeleton else ()
    likeness = Likeness([_gold_skeleton(chosen, row, databases) for row in compared])
    for distances, skeleton in zip(compare(*texts), expected, strict=True):
        alike = None if skeleton is None else likeness.to(skeleton)
        yield ranked(chosen, distances, alike, threshold=way.threshold)


def _texts(way: Selection, rows: Sequence[Question], databases: Databases) -> list[str]:
    if not way.masked:
        return [row.question for row in rows]
    return [databases.masked(row.db_id, row.question) for row in rows]


def _expected(
    way: Selection, questions: Sequence[Question], databases: Databases
) -> list[str | None]:
    """The skeleton that each question's examples should have; None where none is asked for."""
    if not way.skeleton:
        return [None] * len(questions)
    gold = way.skeleton == "gold"
    queries = [row.query if gold else row.prediction for row in questions]
    if missing := [index for index, query in enumerate(queries) if not query.strip()]:
        what = "the gold query" if gold else "a first prediction"
        raise ConfigError(
            f"this selection needs {what} of every question, and question {missing[0] + 1} has "
            f"none ({len(missing)} of {len(queries)} lack it)",
            remedy="Give --predictions FILE, one SQL a line, or choose MQS_S or QTS_S.",
        )
    if gold:
        return [_gold_skeleton(way, row, databases) for row in questions]
    return [databases.skeleton(row.db_id, row.prediction) for row in questions]


def _gold_skeleton(way: Selection, row: Question, databases: Databases) -> str:
    if way.raw_gold and not row.query.strip().startswith("SELECT"):
        return row.query
    return databases.skeleton(row.db_id, row.query)


def _excluded(way: FewShot, asked: Question, pool: Sequence[Question]) -> set[int]:
    same, own = way.selection.skips_same, way.cross_domain
    if not (same or own):
        return set()
    return {
        index
        for index, row in enumerate(pool)
        if (same and row.question == asked.question) or (own and row.db_id == asked.db_id)
    }
