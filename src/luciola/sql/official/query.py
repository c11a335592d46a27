"""A query as the official grammar sees it. Equality of these tuples is equality in exact match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


class Column(NamedTuple):
    """A column with its aggregate; `distinct` is None where it is not compared."""

    aggregate: str
    name: str
    distinct: bool | None


class Unit(NamedTuple):
    """One column, or two with an arithmetic operator."""

    operator: str
    left: Column
    right: Column | None


class Selected(NamedTuple):
    """A selected unit under an aggregate."""

    aggregate: str
    unit: Unit


class Condition(NamedTuple):
    """`unit [not] operator first [and second]`."""

    negated: bool
    operator: str
    unit: Unit
    first: Value
    second: Value


class Source(NamedTuple):
    """A table by its official name, or a derived table."""

    kind: str
    table: str | Query


@dataclass(frozen=True)
class Query:
    """One level of a query. Conditions alternate with their connectors, `and` or `or`."""

    distinct: bool | None = False
    select: tuple[Selected, ...] = ()
    sources: tuple[Source, ...] = ()
    on: Conditions = ()
    where: Conditions = ()
    group_by: tuple[Column, ...] = ()
    having: Conditions = ()
    order_by: tuple[str, tuple[Unit, ...]] | None = None
    limit: bool = False
    intersect: Query | None = None
    union: Query | None = None
    except_: Query | None = None


Value: TypeAlias = "str | float | Column | Query | None"
Conditions: TypeAlias = "tuple[Condition | str, ...]"
EMPTY = Query()
"""What stands in for a prediction that does not parse."""


def units(conditions: Conditions) -> list[Condition]:
    """Every second item: the conditions."""
    return [item for item in conditions[::2] if isinstance(item, Condition)]


def connectors(conditions: Conditions) -> list[str]:
    """The items between them."""
    return [item for item in conditions[1::2] if isinstance(item, str)]
