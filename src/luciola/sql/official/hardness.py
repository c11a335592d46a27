"""How hard the gold query is: easy, medium, hard or extra, by counting its parts.

Source: the official evaluator of Spider, with its slip in counting aggregates (see `_aggregates`).
"""

from __future__ import annotations

from luciola.sql.official.query import Query, connectors, units

LEVELS = ("easy", "medium", "hard", "extra")


def hardness(query: Query) -> str:
    """The level of a gold query, as parsed, before anything is taken out of it."""
    parts, nested, others = _parts(query), len(nested_queries(query)), _others(query)
    if parts <= 1 and others == 0 and nested == 0:
        return "easy"
    if nested == 0 and ((others <= 2 and parts <= 1) or (parts <= 2 and others < 2)):
        return "medium"
    if nested == 0 and ((others > 2 and parts <= 2) or (2 < parts <= 3 and others <= 2)):
        return "hard"
    if parts <= 1 and others == 0 and nested <= 1:
        return "hard"
    return "extra"


def nested_queries(query: Query) -> list[Query]:
    """Sub-queries in conditions and branches of set operators; derived tables do not count."""
    conditions = [*units(query.on), *units(query.where), *units(query.having)]
    values = [value for each in conditions for value in (each.first, each.second)]
    branches = (query.intersect, query.except_, query.union)
    return [found for found in (*values, *branches) if isinstance(found, Query)]


def _parts(query: Query) -> int:
    clauses = (query.where, query.group_by, query.order_by is not None, query.limit)
    joins = max(0, len(query.sources) - 1)
    words = connectors(query.on) + connectors(query.where) + connectors(query.having)
    conditions = units(query.on) + units(query.where) + units(query.having)
    likes = sum(condition.operator == "like" for condition in conditions)
    return sum(map(bool, clauses)) + joins + words.count("or") + likes


def _others(query: Query) -> int:
    return (
        (_aggregates(query) > 1)
        + (len(query.select) > 1)
        + (len(query.where) > 1)
        + (len(query.group_by) > 1)
    )


def _aggregates(query: Query) -> int:
    """Aggregates in SELECT, GROUP BY and ORDER BY.

    The official slip: in conditions it tests the first field, which is the negation, and in HAVING
    it also counts every connector.
    """
    ordered = query.order_by[1] if query.order_by is not None else ()
    columns = [*query.group_by, *(side for unit in ordered for side in (unit.left, unit.right))]
    return (
        sum(each.aggregate != "none" for each in query.select)
        + sum(column is not None and column.aggregate != "none" for column in columns)
        + sum(condition.negated for condition in units(query.where))
        + sum(condition.negated for condition in units(query.having))
        + len(connectors(query.having))
    )
