"""The part of a large schema that a question is about, so that it fits into a model's context.

Tables are taken by relevance, each with the tables that join it to those taken before. Of a table
that would take most of the room, the keys and the most relevant columns stay. Left out: no model
is asked, so that a question which shares no word with the names gets the first tables.

With 60 % of the tokens of the whole schema, all that the gold query needs is kept for 96 % of the
questions of Spider's validation part about databases of five tables and more; with 40 %, for 90 %.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace

from luciola.sql.prompt import column_text, schema_text, table_line
from luciola.sql.relevance import Relevance, relevance
from luciola.sql.schema import Column, Schema, Table
from luciola.sql.values import Mention

log = logging.getLogger(__name__)

SHARE = 0.7
"""Of the whole room, what a table may take before its columns are pruned."""
FARTHEST = 3
"""Joins to the nearest table taken before; tables farther away are not connected."""
NAMED = 8
"""Tables named in the notice of what was left out."""


def prune(
    schema: Schema,
    question: str,
    mentions: Sequence[Mention],
    budget: int,
    count_tokens: Callable[[str], int],
    *,
    types: bool = False,
) -> Schema:
    """The tables and columns most relevant to `question` whose text has at most `budget` tokens.

    The whole schema where it fits; else what was left out is logged. One column of one table stays,
    whatever the budget.

    Args:
        mentions: cell values that the question mentions; their columns come first.
        budget: tokens of `schema_text(result, types=types)`.
        count_tokens: tokens of a text.
    """
    pruned = most_relevant(schema, question, mentions, budget, count_tokens, types=types)
    if pruned is not schema:
        log.info("%s", _what_is_left_out(schema, pruned))
    return pruned


def most_relevant(
    schema: Schema,
    question: str,
    mentions: Sequence[Mention],
    budget: int,
    count_tokens: Callable[[str], int],
    *,
    types: bool = False,
) -> Schema:
    """As `prune`, for those who try several budgets: nothing is logged."""
    if count_tokens(schema_text(schema, types=types)) <= budget:
        return schema
    scores = relevance(schema, question, mentions)
    neighbours = _neighbours(schema)
    room = _Room(schema, scores, budget, count_tokens, types)
    for index in _by_relevance(scores):
        between = _bridge(index, room.taken, neighbours)
        if room.take(index, narrow=scores.tables[index] > 0):
            for other in between:
                room.take(other, narrow=True)
    return room.schema()


class _Room:
    """The tables taken so far, whole or in part, and the tokens that are left."""

    def __init__(
        self,
        schema: Schema,
        scores: Relevance,
        budget: int,
        count_tokens: Callable[[str], int],
        types: bool,
    ) -> None:
        self.whole, self.scores = schema, scores
        self.count_tokens, self.types = count_tokens, types
        self.taken: dict[int, Table] = {}
        self.left = budget - count_tokens(schema_text(replace(schema, tables=())))
        self.share = int(self.left * SHARE)

    def take(self, index: int, *, narrow: bool) -> bool:
        """Take a table, whole or if need be only its keys and best columns; False: no room."""
        if index in self.taken:
            return True
        table = self.whole.tables[index]
        cost = self._cost(table)
        limit = self.left if cost <= self.share else min(self.left, self.share)
        if cost > limit and (narrow or not self.taken):
            table = self._narrowed(index, limit)
            cost = self._cost(table)
        if cost > self.left and self.taken:
            return False
        self.taken[index] = table
        self.left -= cost
        return True

    def schema(self) -> Schema:
        """What was taken, in the order of the whole schema."""
        return replace(self.whole, tables=tuple(self.taken[index] for index in sorted(self.taken)))

    def _cost(self, table: Table) -> int:
        return self.count_tokens("\n" + table_line(self.whole, table, self.types))

    def _narrowed(self, index: int, limit: int) -> Table:
        """The table with as many columns as fit, the most important first; at least one."""
        table = self.whole.tables[index]
        left = limit - self._cost(replace(table, columns=()))
        kept: set[int] = set()
        for place in self._by_importance(index):
            left -= self.count_tokens(
                ", " + column_text(self.whole, table, table.columns[place], self.types)
            )
            if left < 0 and kept:
                break
            kept.add(place)
        return replace(table, columns=tuple(table.columns[place] for place in sorted(kept)))

    def _by_importance(self, index: int) -> list[int]:
        """Keys to taken tables, its own key, what the question asks, other keys, the rest."""
        table, scores = self.whole.tables[index], self.scores.columns[index]
        names = {taken.name.lower() for taken in self.taken.values()}

        def rank(place: int) -> tuple[int, float, int]:
            column = table.columns[place]
            if _refers_to(table, column, names):
                return (0, 0.0, place)
            if column.primary_key:
                return (1, 0.0, place)
            if scores[place] > 0:
                return (2, -scores[place], place)
            return (3 if _refers_to(table, column, None) else 4, 0.0, place)

        return sorted(range(len(table.columns)), key=rank)


def _refers_to(table: Table, column: Column, names: Container[str] | None) -> bool:
    """Whether a foreign key of `column` refers to one of `names`, or to any table for None."""
    return any(
        column.name in key.columns and (names is None or key.referred_table.lower() in names)
        for key in table.foreign_keys
    )


def _by_relevance(scores: Relevance) -> list[int]:
    """All tables, best first: room that is left goes to those that share no word."""
    return sorted(range(len(scores.tables)), key=lambda index: -scores.tables[index])


def _neighbours(schema: Schema) -> list[list[int]]:
    """For each table those that a foreign key joins to it, in either direction."""
    places = {table.name.lower(): index for index, table in enumerate(schema.tables)}
    found: list[list[int]] = [[] for _ in schema.tables]
    for index, table in enumerate(schema.tables):
        for key in table.foreign_keys:
            other = places.get(key.referred_table.lower(), index)
            if other != index:
                found[index].append(other)
                found[other].append(index)
    return found


def _bridge(start: int, taken: Mapping[int, Table], neighbours: list[list[int]]) -> list[int]:
    """The tables between `start` and the nearest table taken, nearest to that one first."""
    came_from = {start: start}
    waiting = deque([(start, 0)])
    while waiting:
        index, joins = waiting.popleft()
        if index in taken and index != start:
            path = []
            while (index := came_from[index]) != start:
                path.append(index)
            return path
        for other in neighbours[index] if joins < FARTHEST else ():
            if other not in came_from:
                came_from[other] = index
                waiting.append((other, joins + 1))
    return []


def _what_is_left_out(schema: Schema, pruned: Schema) -> str:
    kept = {table.name for table in pruned.tables}
    names = [table.name for table in schema.tables if table.name not in kept]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    before = sum(len(table.columns) for table in schema.tables)
    after = sum(len(table.columns) for table in pruned.tables)
    return (
        f"the schema is too long for the context: {len(kept)} of {len(schema.tables)} tables and "
        f"{after} of {before} columns are shown"
        + (f"; left out: {', '.join(names[:NAMED])}{more}" if names else "")
    )
