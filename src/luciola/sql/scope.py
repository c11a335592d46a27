"""Who owns which column in a parsed query: the selects, their sources, and what their columns mean.

A scope is one SELECT. It sees its own sources, and where it is a sub-query outside FROM, those of
the scopes around it. Left out: lateral joins, and the columns of `SELECT *` in derived tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from luciola.sql.schema import Schema, Table


@dataclass(eq=False)
class Source:
    """One thing in FROM or JOIN.

    Args:
        node: its node in the tree.
        name: how columns name it: its alias, else the table's name, in lower case.
        table: its table in the schema; None for a derived table or a common table expression.
        columns: the lower-case names of its columns; None where they are not known.
    """

    node: exp.Expr
    name: str
    table: Table | None
    columns: frozenset[str] | None

    def may_have(self, column: str) -> bool:
        return self.columns is None or column in self.columns


@dataclass(eq=False)
class Scope:
    """One SELECT: its sources, its own columns (not those of selects inside it), its outputs."""

    select: exp.Select
    parent: Scope | None
    sources: list[Source] = field(default_factory=list)
    columns: list[exp.Column] = field(default_factory=list)
    outputs: frozenset[str] = frozenset()

    def owner(self, column: exp.Column) -> tuple[Source, Scope] | None:
        """The source that `column` belongs to, and that source's scope; None if not certain."""
        qualifier, name = column.table.lower(), column.name.lower()
        scope: Scope | None = self
        while scope is not None:
            if qualifier:
                found = [source for source in scope.sources if source.name == qualifier]
            else:
                found = [source for source in scope.sources if source.may_have(name)]
            if found:
                return (found[0], scope) if len(found) == 1 else None
            scope = scope.parent
        return None

    def knows(self, name: str) -> bool:
        """Whether an unqualified `name` may be a column or an output's name here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.outputs or any(source.may_have(name) for source in scope.sources):
                return True
            scope = scope.parent
        return False


def scopes(tree: exp.Expr, schema: Schema) -> list[Scope]:
    """The scopes of a query, outer ones before those inside them."""
    tables = {table.name.lower(): table for table in schema.tables}
    return list(_scopes(tree, None, tables, {}))


def _scopes(
    node: exp.Expr,
    parent: Scope | None,
    tables: dict[str, Table],
    shared: dict[str, frozenset[str] | None],
) -> Iterator[Scope]:
    """The scopes at and below a query; `shared`: common table expressions and their columns."""
    with_ = node.args.get("with_")
    if with_ is not None:
        shared = dict(shared)
        for expression in with_.expressions:
            shared[expression.alias.lower()] = None
            yield from _scopes(expression.this, parent, tables, shared)
            shared[expression.alias.lower()] = _output_names(expression)
    if isinstance(node, exp.SetOperation):
        for side in (node.left, node.right):
            yield from _scopes(side, parent, tables, shared)
    elif isinstance(node, exp.Subquery):
        yield from _scopes(node.this, parent, tables, shared)
    elif isinstance(node, exp.Select):
        scope, inner = _scope(node, parent, tables, shared)
        yield scope
        for query, is_source in inner:
            yield from _scopes(query, parent if is_source else scope, tables, shared)


def _scope(
    select: exp.Select,
    parent: Scope | None,
    tables: dict[str, Table],
    shared: dict[str, frozenset[str] | None],
) -> tuple[Scope, list[tuple[exp.Expr, bool]]]:
    """The scope of one select, and the queries inside it: (query, whether it is a source)."""
    scope = Scope(select, parent)
    scope.outputs = frozenset(item.alias.lower() for item in select.expressions if item.alias)
    inner: list[tuple[exp.Expr, bool]] = []
    with_ = select.args.get("with_")
    for node in select.walk(prune=lambda node: node is with_ or _is_inner(node, select)):
        if node is with_:
            continue
        if isinstance(node, exp.Column):
            scope.columns.append(node)
        elif isinstance(node, exp.Table):
            scope.sources.append(_table_source(node, tables, shared))
        elif _is_inner(node, select):
            is_source = isinstance(node.parent, exp.From | exp.Join)
            if is_source:
                names = _output_names(node)
                scope.sources.append(Source(node, node.alias_or_name.lower(), None, names))
            inner.append((node, is_source))
    return scope, inner


def _is_inner(node: exp.Expr, select: exp.Select) -> bool:
    return isinstance(node, exp.Query) and node is not select and not isinstance(node, exp.Table)


def _table_source(
    node: exp.Table, tables: dict[str, Table], shared: dict[str, frozenset[str] | None]
) -> Source:
    name = node.name.lower()
    alias = (node.alias or node.name).lower()
    if name in shared:
        return Source(node, alias, None, shared[name])
    table = tables.get(name)
    columns = None if table is None else frozenset(column.name.lower() for column in table.columns)
    return Source(node, alias, table, columns)


def _output_names(query: exp.Expr) -> frozenset[str] | None:
    """The names of the columns that a derived table or common table expression has, if known."""
    alias = query.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        return frozenset(column.name.lower() for column in alias.args["columns"])
    inner = query.this if isinstance(query, exp.Subquery | exp.CTE) else query
    while isinstance(inner, exp.SetOperation | exp.Subquery):
        inner = inner.this
    if not isinstance(inner, exp.Select) or inner.is_star:
        return None
    return frozenset(item.alias_or_name.lower() for item in inner.expressions)
