"""The official parser: what it takes, what it refuses, and how it reads what it takes.

Aliases are one flat map per text, shared with sub-queries, made from every `x AS y`; a level's FROM
is the first FROM at or after its start; LIMIT counts only as present; whatever stands after the
query is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from luciola.sql.official.cursor import CLAUSES, ENDS, JOINS, Cursor
from luciola.sql.official.names import Names, aliases_of
from luciola.sql.official.problem import Problem, require
from luciola.sql.official.query import (
    Column,
    Condition,
    Conditions,
    Query,
    Selected,
    Source,
    Unit,
    Value,
)
from luciola.sql.official.schema import Schema

OPERATORS = frozenset(
    ("not", "between", "=", ">", "<", ">=", "<=", "!=", "in", "like", "is", "exists")
)
ARITHMETIC = frozenset(("none", "-", "+", "*", "/"))
AGGREGATES = frozenset(("none", "max", "min", "count", "sum", "avg"))


def parse(tokens: Sequence[str], schema: Schema) -> Query:
    """The query that the tokens begin with. Raises: Problem."""
    try:
        return Parser(tokens, Names(schema, aliases_of(tokens, schema))).query()
    except RecursionError:
        raise Problem("nested too deeply", "RecursionError") from None


class Parser(Cursor):
    """Reads the tokens from `at` onwards; the methods of one level share the level's tables.

    Args:
        tokens: of the whole text, or of a part of it that holds one column.
        names: what its names mean.
    """

    def __init__(self, tokens: Sequence[str], names: Names) -> None:
        super().__init__(tokens)
        self.names = names

    def query(self) -> Query:
        """One level, and a set operator with the level to its right."""
        start = self.at
        in_brackets = self.token == "("
        select_at = start + in_brackets
        self.at = start
        sources, on, tables = self.sources()
        after_sources, self.at = self.at, select_at
        distinct, select = self.select(tables)
        self.at = after_sources
        where = self.conditions(tables) if self.takes("where") else ()
        group_by = self.group_by(tables)
        having = self.conditions(tables) if self.takes("having") else ()
        order_by = self.order_by(tables)
        limit = self.limit()
        self.skip_semicolons()
        if in_brackets:
            self.expects(")")
        self.skip_semicolons()
        level = Query(distinct, select, sources, on, where, group_by, having, order_by, limit)
        return self.with_branch(level)

    def with_branch(self, level: Query) -> Query:
        """The level with the query to the right of its set operator, if there is one."""
        if self.takes("intersect"):
            return replace(level, intersect=self.query())
        if self.takes("union"):
            return replace(level, union=self.query())
        if self.takes("except"):
            return replace(level, except_=self.query())
        return level

    def sources(self) -> tuple[tuple[Source, ...], Conditions, list[str]]:
        """Tables and derived tables, the join conditions, and the names of the tables."""
        require("from" in self.tokens[self.at :], "there is no FROM")
        self.at = self.tokens.index("from", self.at) + 1
        sources: list[Source] = []
        on: list[Condition | str] = []
        tables: list[str] = []
        while self.at < len(self.tokens):
            in_brackets = self.takes("(")
            if self.token == "select":
                sources.append(Source("sql", self.query()))
            else:
                self.takes("join")
                sources.append(self.table(tables))
            if self.takes("on"):
                found = self.conditions(tables)
                on += ["and", *found] if on else found
            if in_brackets:
                self.expects(")")
            if self.sees(*ENDS):
                break
        return tuple(sources), tuple(on), tables

    def table(self, tables: list[str]) -> Source:
        name = self.names.table(self.token)
        self.at += 1
        if self.sees("as"):
            self.at += 2
        tables.append(name)
        return Source("table_unit", self.names.official(name))

    def select(self, tables: list[str]) -> tuple[bool, tuple[Selected, ...]]:
        self.expects("select")
        distinct = self.takes("distinct")
        selected = []
        while self.at < len(self.tokens) and self.token not in CLAUSES:
            aggregate = self.advance() if self.token in AGGREGATES else "none"
            selected.append(Selected(aggregate, self.unit(tables)))
            self.takes(",")
        return distinct, tuple(selected)

    def conditions(self, tables: list[str]) -> Conditions:
        found: list[Condition | str] = []
        while self.at < len(self.tokens):
            found.append(self.condition(tables))
            if self.sees(*ENDS, *JOINS):
                break
            if self.sees("and", "or"):
                found.append(self.advance())
        _check_alternating(found)
        return tuple(found)

    def condition(self, tables: list[str]) -> Condition:
        unit = self.unit(tables)
        negated = self.token == "not"
        self.at += negated
        operator = self.advance()
        require(operator in OPERATORS, f"{operator!r} stands where an operator should")
        first = self.value(tables)
        second = None
        if operator == "between":
            self.expects("and")
            second = self.value(tables)
        return Condition(negated, operator, unit, first, second)

    def value(self, tables: list[str]) -> Value:
        """A literal, a sub-query or a column."""
        start = self.at
        in_brackets = self.token == "("
        self.at += in_brackets
        value: Value
        if self.token == "select":
            value = self.query()
        elif '"' in self.token:
            value = self.advance()
        elif (number := _number(self.token)) is not None:
            value = number
            self.at += 1
        else:
            value = self.column_as_value(start, tables)
        if in_brackets:
            self.expects(")")
        return value

    def column_as_value(self, start: int, tables: list[str]) -> Column:
        """A column that reaches up to the next comma, bracket, AND or clause; the rest is lost."""
        stops = CLAUSES | JOINS | {",", ")", "and"}
        end = self.at
        while end < len(self.tokens) and self.tokens[end] not in stops:
            end += 1
        inner = Parser(self.tokens[start:end], self.names)
        column = inner.column(tables)
        self.at = end
        return column

    def unit(self, tables: list[str]) -> Unit:
        in_brackets = self.token == "("
        self.at += in_brackets
        left = self.column(tables)
        operator, right = "none", None
        if self.sees(*ARITHMETIC):
            operator = self.advance()
            right = self.column(tables)
        if in_brackets:
            self.expects(")")
        return Unit(operator, left, right)

    def column(self, tables: list[str]) -> Column:
        """A column, perhaps in brackets; before an aggregate, an opening bracket is lost."""
        in_brackets = self.token == "("
        self.at += in_brackets
        if self.token in AGGREGATES:
            aggregate = self.advance()
            require(self.sees("("), f"no bracket after {aggregate}")
            self.at += 1
            distinct = self.token == "distinct"
            self.at += distinct
            name = self.names.column(self.advance(), tables)
            require(self.sees(")"), f"the bracket after {aggregate} is not closed")
            self.at += 1
            return Column(aggregate, name, distinct)
        distinct = self.token == "distinct"
        self.at += distinct
        name = self.names.column(self.advance(), tables)
        if in_brackets:
            self.expects(")")
        return Column("none", name, distinct)

    def group_by(self, tables: list[str]) -> tuple[Column, ...]:
        if not self.takes("group"):
            return ()
        self.expects("by")
        columns = []
        while self.at < len(self.tokens) and self.token not in ENDS:
            columns.append(self.column(tables))
            if not self.takes(","):
                break
        return tuple(columns)

    def order_by(self, tables: list[str]) -> tuple[str, tuple[Unit, ...]] | None:
        """The units, and the direction that was named last."""
        if not self.takes("order"):
            return None
        self.expects("by")
        units, direction = [], "asc"
        while self.at < len(self.tokens) and self.token not in ENDS:
            units.append(self.unit(tables))
            if self.sees("asc", "desc"):
                direction = self.advance()
            if not self.takes(","):
                break
        return direction, tuple(units)

    def limit(self) -> bool:
        if not self.takes("limit"):
            return False
        self.advance()
        return True


def _number(token: str) -> float | None:
    try:
        return float(token)
    except ValueError:
        return None


def _check_alternating(conditions: list[Condition | str]) -> None:
    """Two conditions without a connector parse, but end the official evaluator later."""
    for index, item in enumerate(conditions):
        if isinstance(item, str) != bool(index % 2):
            raise Problem("two conditions stand without AND or OR between them", "ValueError")
