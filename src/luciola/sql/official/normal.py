"""What exact match does not compare is taken out: literals, DISTINCT, which end of a foreign key.

Two oddities of the official evaluator are part of the rule. Columns are mapped and DISTINCT is
dropped at the top level and in branches of set operators, which use the top level's tables, but
never inside sub-queries; and derived tables in FROM keep their literals too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from luciola.sql.official.query import (
    Column,
    Condition,
    Conditions,
    Query,
    Selected,
    Unit,
    Value,
)
from luciola.sql.official.schema import Schema


def normal(query: Query, schema: Schema) -> Query:
    """The query as exact match compares it."""
    prefixes = {source.table[:-2] for source in query.sources if isinstance(source.table, str)}
    equal = {
        name: first
        for name, first in schema.equal.items()
        if "." in name and name[: name.index(".")] in prefixes and name in _columns(schema)
    }
    return _mapped(_without_literals(query), equal)


def _columns(schema: Schema) -> set[str]:
    return set(schema.names.values())


def _without_literals(query: Query) -> Query:
    def inner(branch: Query | None) -> Query | None:
        return None if branch is None else _without_literals(branch)

    return replace(
        query,
        on=_conditions_without_literals(query.on),
        where=_conditions_without_literals(query.where),
        having=_conditions_without_literals(query.having),
        intersect=inner(query.intersect),
        union=inner(query.union),
        except_=inner(query.except_),
    )


def _conditions_without_literals(conditions: Conditions) -> Conditions:
    def value(found: Value) -> Value:
        return _without_literals(found) if isinstance(found, Query) else None

    return tuple(
        item
        if isinstance(item, str)
        else item._replace(first=value(item.first), second=value(item.second))
        for item in conditions
    )


def _mapped(query: Query, equal: Mapping[str, str]) -> Query:
    def column(found: Column) -> Column:
        return Column(found.aggregate, equal.get(found.name, found.name), None)

    def unit(found: Unit) -> Unit:
        right = None if found.right is None else column(found.right)
        return Unit(found.operator, column(found.left), right)

    def conditions(found: Conditions) -> Conditions:
        return tuple(
            item._replace(unit=unit(item.unit)) if isinstance(item, Condition) else item
            for item in found
        )

    def branch(found: Query | None) -> Query | None:
        return None if found is None else _mapped(found, equal)

    order = query.order_by
    return replace(
        query,
        distinct=None,
        select=tuple(Selected(each.aggregate, unit(each.unit)) for each in query.select),
        on=conditions(query.on),
        where=conditions(query.where),
        group_by=tuple(map(column, query.group_by)),
        having=conditions(query.having),
        order_by=None if order is None else (order[0], tuple(map(unit, order[1]))),
        intersect=branch(query.intersect),
        union=branch(query.union),
        except_=branch(query.except_),
    )
