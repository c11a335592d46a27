"""SQL cut into text, references and literals, with one spelling of what means the same.

Aliases give way to table names (except in self-joins), a joined pair of columns is written in the
order of its foreign key, and columns that a join makes equal are called by the parent's name. What
cannot be resolved (an unknown column, ORDER BY on a set operation) is refused: such an example is
left out or trained as it is. sqlglot does the parsing; everything else in this package works
without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from luciola.errors import LuciolaError
from luciola.specialist.augment.example import (
    Blueprint,
    ColumnRef,
    Literal,
    Piece,
    Place,
    TableRef,
)

Node = Any
"""A node of sqlglot's tree; its base class has another name in newer releases."""
_MARK = re.compile(r"(?:(\w+)\.)?\bQC(\d+)_(\d+)_(\w\w)Q\b|\bQT(\d+)Q\b|\bQL(\d+)Q\b")
_NOT_FIRST = re.compile(r"\bNOT ([\w.]+) (IN|LIKE|BETWEEN)\b")


class UnresolvedSqlError(LuciolaError):
    """The SQL does not parse, or names something that its schema does not have."""


@dataclass(frozen=True)
class _Source:
    """What a FROM clause offers under one name: a table, or (None) a derived table."""

    table: int | None
    alias: str = ""


_Sources = dict[str, _Source]


def pieces_of(sql: str, schema: Blueprint, dialect: str = "sqlite") -> tuple[Piece, ...]:
    """The answer `sql` in pieces that follow renamed tables and columns.

    Raises: UnresolvedSqlError.
    """
    try:
        tree = parse_one(sql, read=dialect)
    except SqlglotError as error:
        raise UnresolvedSqlError(f"SQL that does not parse: {sql}") from error
    resolver = _Resolver(schema)
    resolver.query(tree, [])
    literals = _mark_literals(tree)
    text = _one_spelling(tree.sql(dialect=dialect))
    return tuple(_cut(text, literals))


@dataclass
class _Resolver:
    """Replaces every identifier of the tree by a mark that names its place in the schema."""

    schema: Blueprint
    tables: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.tables = {table.name.lower(): i for i, table in enumerate(self.schema.tables)}

    def query(self, node: Node, outer: list[_Sources]) -> None:
        if isinstance(node, exp.Subquery):
            self.query(node.this, outer)
        elif isinstance(node, exp.SetOperation):
            if node.args.get("order"):
                raise UnresolvedSqlError("ORDER BY on a set operation")
            self.query(node.left, outer)
            self.query(node.right, outer)
        elif isinstance(node, exp.Select):
            self.select(node, outer)
        else:
            raise UnresolvedSqlError(f"no query: {node.sql()}")

    def select(self, select: exp.Select, outer: list[_Sources]) -> None:
        sources = self.sources(select, outer)
        scopes = [sources, *outer]
        named = {e.alias.lower() for e in select.expressions if isinstance(e, exp.Alias)}
        for node in list(_inside(select)):
            if isinstance(node, exp.Select | exp.SetOperation):
                if not _is_source(node):
                    self.query(node, scopes)
            elif isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
                self.column(node, scopes, named)
            elif isinstance(node, exp.Table):
                node.set("this", exp.to_identifier(f"QT{self.tables[node.name.lower()]}Q"))
        self.join_in_key_order(select)

    def sources(self, select: exp.Select, outer: list[_Sources]) -> _Sources:
        items = [join.this for join in select.args.get("joins") or []]
        start = select.args.get("from_") or select.args.get("from")
        if start:
            items.insert(0, start.this)
        names = [item.name.lower() for item in items if isinstance(item, exp.Table)]
        found: _Sources = {}
        for item in items:
            if isinstance(item, exp.Subquery):
                self.query(item.this, outer)
                found[(item.alias or "?").lower()] = _Source(None)
                continue
            if not isinstance(item, exp.Table) or item.name.lower() not in self.tables:
                raise UnresolvedSqlError(f"no such table: {item.sql()}")
            twice = names.count(item.name.lower()) > 1
            key = (item.alias or item.name).lower()
            found[key] = _Source(self.tables[item.name.lower()], item.alias if twice else "")
            if not twice:
                item.set("alias", None)
        return found

    def column(self, node: exp.Column, scopes: list[_Sources], named: set[str]) -> None:
        name, qualifier = node.name.lower(), node.table.lower()
        hit = self.find(name, qualifier, scopes)
        if hit is None:
            if self.is_derived(name, qualifier, scopes, named):
                return
            if node.this.args.get("quoted") and not qualifier:
                node.replace(exp.Literal.string(node.name))  # SQLite reads "x" as text then
                return
            raise UnresolvedSqlError(f"no such column: {node.sql()}")
        source, index = hit
        flags = ("m" if len(scopes[0]) > 1 else "s") + ("j" if _joins(node) else "a")
        node.set("this", exp.to_identifier(f"QC{source.table}_{index}_{flags}Q"))
        node.set("table", exp.to_identifier(source.alias) if source.alias else None)

    def find(self, name: str, qualifier: str, scopes: list[_Sources]) -> tuple[_Source, int] | None:
        for scope in scopes:
            for key, source in scope.items():
                if source.table is None or (qualifier and qualifier != key):
                    continue
                for index, column in enumerate(self.schema.tables[source.table].columns):
                    if column.name.lower() == name:
                        return source, index
        return None

    @staticmethod
    def is_derived(name: str, qualifier: str, scopes: list[_Sources], named: set[str]) -> bool:
        derived = {k for scope in scopes for k, s in scope.items() if s.table is None}
        return qualifier in derived if qualifier else bool(derived) or name in named

    def join_in_key_order(self, select: exp.Select) -> None:
        """ON child = parent; elsewhere in this query the parent's name stands for both."""
        same: dict[str, exp.Column] = {}
        for join in select.args.get("joins") or []:
            on = join.args.get("on")
            for equal in on.find_all(exp.EQ) if on else ():
                left, right = _place(equal.this), _place(equal.expression)
                if left is None or right is None:
                    continue
                if (right, left) in self.schema.links:
                    _turn(equal)
                    left, right = right, left
                if (left, right) in self.schema.links and not join.side:
                    same[equal.this.name[:-3]] = equal.expression
        for node in _inside(select):
            if isinstance(node, exp.Column) and node.name[:-3] in same and not _joins(node):
                parent = same[node.name[:-3]].name
                node.set("this", exp.to_identifier(parent[:-3] + node.name[-3:]))


def _turn(equal: Node) -> None:
    left, right = equal.this, equal.expression
    equal.set("this", right)
    equal.set("expression", left)


def _inside(select: exp.Select) -> Iterator[Node]:
    """All nodes of one query, its sub-queries named but not entered."""
    nested = (exp.Select, exp.SetOperation)
    for node in select.walk(prune=lambda n: n is not select and isinstance(n, nested)):
        if node is not select:
            yield node


def _is_source(node: Node) -> bool:
    parent = node.parent
    return isinstance(parent, exp.Subquery) and isinstance(parent.parent, exp.From | exp.Join)


def _joins(node: Node) -> bool:
    """Whether the node stands in an ON clause."""
    join = node.find_ancestor(exp.Join, exp.Select)
    return isinstance(join, exp.Join)


def _place(node: Node) -> Place | None:
    """The place of a marked column without alias."""
    if not isinstance(node, exp.Column) or node.table or not node.name.startswith("QC"):
        return None
    table, column, _ = node.name[2:].split("_")
    return int(table), int(column)


def _mark_literals(tree: Node) -> list[Literal]:
    found: list[Literal] = []
    for node in list(tree.find_all(exp.Literal)):
        found.append(Literal(node.this, node.is_string))
        node.replace(exp.to_identifier(f"QL{len(found) - 1}Q"))
    return found


def _one_spelling(sql: str) -> str:
    """NOT beside its operator, != for <>, no ASC, blanks inside parentheses."""
    sql = _NOT_FIRST.sub(r"\1 NOT \2", sql).replace("<>", "!=").replace(" ASC", "")
    return re.sub(r"\((?! )", "( ", sql).replace(")", " )").replace("  )", " )")


def _cut(text: str, literals: list[Literal]) -> Iterator[Piece]:
    position = 0
    for match in _MARK.finditer(text):
        if match.start() > position:
            yield text[position : match.start()]
        alias, table, column, flags, whole, literal = match.groups()
        if table is not None:
            yield ColumnRef(int(table), int(column), alias or "", flags[0] == "m", flags[1] == "j")
        elif whole is not None:
            yield TableRef(int(whole))
        else:
            yield literals[int(literal)]
        position = match.end()
    if position < len(text):
        yield text[position:]
