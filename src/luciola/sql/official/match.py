"""Exact set match: ten components of two queries compared one by one, and then their tables.

Source: the official evaluator of Spider. Never compared: join conditions, the value of LIMIT,
literals, how AND and OR nest, the order of selected columns, DISTINCT at the top level.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from luciola.sql.official.query import Query, connectors, units

COMPONENTS = (
    "select",
    "select(no AGG)",
    "where",
    "where(no OP)",
    "group(no Having)",
    "group",
    "order",
    "and/or",
    "IUEN",
    "keywords",
)


class Score(NamedTuple):
    """How one component compares: items in gold, in the prediction, and in both."""

    gold: int
    predicted: int
    common: int

    @property
    def equal(self) -> bool:
        """As many items on both sides, and all of them alike; nothing equals nothing."""
        return self.gold == self.predicted == self.common


def exact_match(predicted: Query, gold: Query) -> bool:
    """Whether all components and the tables agree; both queries are normal."""
    return matches(partial_scores(predicted, gold), predicted, gold)


def matches(scores: dict[str, Score], predicted: Query, gold: Query) -> bool:
    """`exact_match` where the scores of the components are known."""
    if not all(score.equal for score in scores.values()):
        return False
    return not gold.sources or Counter(gold.sources) == Counter(predicted.sources)


def partial_scores(predicted: Query, gold: Query) -> dict[str, Score]:
    """The ten components, in the official order."""
    wanted, found = units(gold.where), units(predicted.where)
    bare_gold = [_without_table(column.name) for column in gold.group_by]
    bare_predicted = [_without_table(column.name) for column in predicted.group_by]
    scores = (
        _bags(predicted.select, gold.select),
        _bags((each.unit for each in predicted.select), (each.unit for each in gold.select)),
        _bags(found, wanted),
        _bags((each.unit for each in found), (each.unit for each in wanted)),
        _bags(bare_predicted, bare_gold),
        _group(predicted, gold),
        _order(predicted, gold),
        _connectors(predicted, gold),
        _set_operators(predicted, gold),
        _bags(keywords(predicted), keywords(gold)),
    )
    return dict(zip(COMPONENTS, scores, strict=True))


def keywords(query: Query) -> set[str]:
    """The keywords that the official evaluator compares."""
    present = {
        "where": query.where,
        "group": query.group_by,
        "having": query.having,
        "limit": query.limit,
        "except": query.except_,
        "union": query.union,
        "intersect": query.intersect,
        "or": "or" in connectors(query.on) + connectors(query.where) + connectors(query.having),
    }
    found = {word for word, part in present.items() if part}
    if query.order_by is not None:
        found |= {"order", query.order_by[0]}
    for condition in units(query.on) + units(query.where) + units(query.having):
        found |= {"not"} if condition.negated else set()
        found |= {condition.operator} & {"in", "like"}
    return found


def _bags(predicted: Iterable[Hashable], gold: Iterable[Hashable]) -> Score:
    found, wanted = Counter(predicted), Counter(gold)
    return Score(wanted.total(), found.total(), (wanted & found).total())


def _without_table(name: str) -> str:
    return name.split(".")[1] if "." in name else name


def _group(predicted: Query, gold: Query) -> Score:
    """Group columns in their order, and HAVING."""
    both = bool(gold.group_by) and bool(predicted.group_by)
    same_columns = [c.name for c in predicted.group_by] == [c.name for c in gold.group_by]
    common = both and same_columns and predicted.having == gold.having
    return Score(bool(gold.group_by), bool(predicted.group_by), int(common))


def _order(predicted: Query, gold: Query) -> Score:
    ordered, wanted = predicted.order_by is not None, gold.order_by is not None
    common = wanted and predicted.order_by == gold.order_by and predicted.limit == gold.limit
    return Score(int(wanted), int(ordered), int(common))


def _connectors(predicted: Query, gold: Query) -> Score:
    """Where they differ, the official evaluator counts the two sides the wrong way round."""
    found, wanted = set(connectors(predicted.where)), set(connectors(gold.where))
    return Score(1, 1, 1) if found == wanted else Score(len(found), len(wanted), 0)


def _set_operators(predicted: Query, gold: Query) -> Score:
    pairs = [
        (predicted.intersect, gold.intersect),
        (predicted.except_, gold.except_),
        (predicted.union, gold.union),
    ]
    return Score(
        sum(wanted is not None for _, wanted in pairs),
        sum(found is not None for found, _ in pairs),
        sum(
            found is not None and wanted is not None and exact_match(found, wanted)
            for found, wanted in pairs
        ),
    )
