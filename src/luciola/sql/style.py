"""How the house style is written: `x NOT IN (...)`, `IS NOT NULL` and `!=`, as people write them.

sqlglot's own generator writes `NOT x IN (...)`, `NOT x IS NULL` and `<>`.
"""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import ErrorLevel
from sqlglot.generator import Generator

PARSERS = {"postgresql": "postgres", "mariadb": "mysql"}
"""sqlglot's names for our dialects, where they differ."""


def written(tree: exp.Expr, dialect: str) -> str:
    """The query as text on one line, without comments.

    Raises: UnsupportedError where the dialect cannot say it.
    """
    if dialect == "sqlite":
        return HouseGenerator(comments=False, unsupported_level=ErrorLevel.RAISE).generate(tree)
    return tree.sql(dialect=dialect, comments=False, unsupported_level=ErrorLevel.RAISE)


def _not(generator: Generator, node: exp.Not) -> str:
    inner = node.this
    if not isinstance(inner, exp.In | exp.Is | exp.Between):
        return f"NOT {generator.sql(inner)}"
    left, whole = generator.sql(inner, "this"), generator.sql(inner)
    if isinstance(inner, exp.Is):
        return f"{left} IS NOT{whole[len(left) + len(' IS') :]}"
    return f"{left} NOT{whole[len(left) :]}"


def _unequal(generator: Generator, node: exp.NEQ) -> str:
    return generator.binary(node, "!=")


class HouseGenerator(SQLite.Generator):  # type: ignore[misc,valid-type]
    """SQLite's generator with the operators that people write."""

    TRANSFORMS: ClassVar = {
        **SQLite.Generator.TRANSFORMS,
        exp.Not: _not,
        exp.NEQ: _unequal,
    }
