"""SQL in one style, so that a model need not learn several: names, aliases, quotes, keywords.

    SELECT T1.Name ,  T2.City FROM Employee AS T1 JOIN shop T2 ON T2.ID=T1.shop_id
    WHERE T2.city="Lyon"

becomes (on one line)

    SELECT employee.name, shop.city FROM employee JOIN shop ON employee.shop_id = shop.id
    WHERE shop.city = 'Lyon'

Aliases of tables are resolved where a table occurs once in its scope; in a self-join they become
T1, T2. Names are spelt as in the schema, and qualified only where more than one source is in scope.
Text in double quotes is a string unless the schema knows it as a column: SQLite has this rule.
What does not parse comes back unchanged. Left out: tables and conditions stay in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from luciola.sql.identifier import identifier
from luciola.sql.schema import Schema
from luciola.sql.scope import Scope, Source, scopes
from luciola.sql.style import PARSERS, written

Owners = dict[int, tuple[Source, Scope]]
"""What owns each column, by the id of its node."""


def normalize(sql: str, schema: Schema) -> str:
    """`sql` in the house style, with the same result; unchanged where it is not one query."""
    dialect = PARSERS.get(schema.dialect, schema.dialect)
    try:
        trees = sqlglot.parse(sql, dialect=dialect)
        tree = trees[0] if len(trees) == 1 else None
        if not isinstance(tree, exp.Query):
            return sql
        _rewrite(tree, schema)
        return written(tree, dialect)
    except (SqlglotError, RecursionError):
        return sql


def _rewrite(tree: exp.Query, schema: Schema) -> None:
    found = scopes(tree, schema)
    if schema.dialect == "sqlite":
        for scope in found:
            scope.columns = list(_without_strings(scope))
    owners = {id(column): owner for scope in found for column, owner in _owned(scope)}
    names = _source_names(found, owners, schema)
    for scope in found:
        for column in scope.columns:
            _rename_column(column, scope, owners.get(id(column)), names, schema.dialect)
        for source in scope.sources:
            _rename_table(source, names[source], schema.dialect)
    for node in tree.find_all(exp.Join, exp.Ordered, exp.SetOperation):
        _tidy(node, owners)


def _without_strings(scope: Scope) -> Iterator[exp.Column]:
    """The columns, once text in double quotes that names no column has been made a string."""
    for column in scope.columns:
        name = column.this
        is_text = isinstance(name, exp.Identifier) and name.quoted and not column.table
        if is_text and not scope.knows(name.name.lower()):
            column.replace(exp.Literal.string(name.name))
        else:
            yield column


def _owned(scope: Scope) -> Iterator[tuple[exp.Column, tuple[Source, Scope]]]:
    for column in scope.columns:
        owner = scope.owner(column)
        if owner is not None:
            yield column, owner


def _source_names(found: list[Scope], owners: Owners, schema: Schema) -> dict[Source, str]:
    """What each source is called: its table's name if nothing else there has it, else T1, T2."""
    plain = {source: _plain_name(source) for scope in found for source in scope.sources}
    unclear = _hidden(found, owners, plain)
    for scope in found:
        count = Counter(plain[source].lower() for source in scope.sources)
        unclear.update(
            source
            for source in scope.sources
            if count[plain[source].lower()] > 1 and isinstance(source.node, exp.Table)
        )
    taken = {table.name.lower() for table in schema.tables}
    taken.update(name.lower() for source, name in plain.items() if source not in unclear)
    free = (f"T{number}" for number in range(1, 10_000) if f"t{number}" not in taken)
    return {source: next(free) if source in unclear else name for source, name in plain.items()}


def _plain_name(source: Source) -> str:
    if source.table is not None:
        return source.table.name
    node = source.node
    return node.name if isinstance(node, exp.Table) else node.alias_or_name


def _hidden(found: list[Scope], owners: Owners, plain: dict[Source, str]) -> set[Source]:
    """Sources that a sub-query refers to across another source of the same name."""
    hidden = set()
    for scope in found:
        for column in scope.columns:
            source, home = owners.get(id(column), (None, scope))
            between: Scope | None = scope
            while source is not None and between is not None and between is not home:
                if any(plain[other].lower() == plain[source].lower() for other in between.sources):
                    hidden.add(source)
                between = between.parent
    return hidden


def _rename_column(
    column: exp.Column,
    scope: Scope,
    owner: tuple[Source, Scope] | None,
    names: dict[Source, str],
    dialect: str,
) -> None:
    name, qualified = column.name, bool(column.table)
    if owner is None or (not qualified and name.lower() in scope.outputs):
        return
    source, home = owner
    spelt = source.table.column(name) if source.table is not None else None
    if spelt is not None:
        column.set("this", _identifier(spelt.name, dialect))
    alone = home is scope and len(scope.sources) == 1 and name.lower() not in scope.outputs
    column.set("table", None if alone or not names[source] else _identifier(names[source], dialect))
    if alone and isinstance(column.this, exp.Star):
        column.replace(column.this)


def _rename_table(source: Source, name: str, dialect: str) -> None:
    node = source.node
    if not isinstance(node, exp.Table):
        return
    plain = _plain_name(source)
    node.set("this", _identifier(plain, dialect))
    alias = None if name == plain else exp.TableAlias(this=_identifier(name, dialect))
    node.set("alias", alias)


def _tidy(node: exp.Expr, owners: Owners) -> None:
    """Of two spellings keep one: INNER, OUTER and ASC go; joins compare from left to right."""
    if isinstance(node, exp.Ordered) and not node.args.get("desc"):
        node.set("desc", None)
    elif isinstance(node, exp.SetOperation) and node.args.get("order") is not None:
        for column in node.args["order"].find_all(exp.Column):
            column.set("table", None)  # it means a column of the result
    elif isinstance(node, exp.Join):
        if node.kind in ("INNER", "OUTER") and node.args.get("on") is not None:
            node.set("kind", None)
        if node.args.get("on") is not None:
            for equality in node.args["on"].find_all(exp.EQ):
                _compare_left_to_right(equality, owners)


def _compare_left_to_right(equality: exp.EQ, owners: Owners) -> None:
    left, right = owners.get(id(equality.this)), owners.get(id(equality.expression))
    if left is None or right is None or left[1] is not right[1]:
        return
    sources = left[1].sources
    if sources.index(left[0]) > sources.index(right[0]):
        first, second = equality.this, equality.expression
        equality.set("this", second)
        equality.set("expression", first)


def _identifier(name: str, dialect: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=identifier(name, dialect) != name)
