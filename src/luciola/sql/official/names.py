"""What the names in a query mean: aliases, tables and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luciola.sql.official.problem import Problem, require
from luciola.sql.official.schema import Schema


def aliases_of(tokens: Sequence[str], schema: Schema) -> dict[str, str]:
    """The table that each alias stands for; a table stands for itself. Raises: Problem."""
    aliases: dict[str, str] = {}
    for index, token in enumerate(tokens):
        if token == "as":
            if index + 1 == len(tokens):
                raise Problem("AS is the last word", "IndexError")
            aliases[tokens[index + 1]] = tokens[index - 1]
    for table in schema.tables:
        require(table not in aliases, f"the alias {table} is also a table")
        aliases[table] = table
    return aliases


@dataclass(frozen=True)
class Names:
    """The names of one text.

    Args:
        schema: of the database.
        aliases: see `aliases_of`.
    """

    schema: Schema
    aliases: Mapping[str, str]

    def table(self, alias: str) -> str:
        """The table behind an alias. Raises: Problem."""
        return _found(self.aliases, alias)

    def official(self, name: str) -> str:
        """The official name of a table, or of a column as TABLE.COLUMN. Raises: Problem."""
        return _found(self.schema.names, name)

    def column(self, token: str, tables: Sequence[str]) -> str:
        """The official name of a column of one of the level's tables. Raises: Problem."""
        if token == "*":
            return self.schema.names[token]
        if "." in token:
            alias, *rest = token.split(".")
            if len(rest) != 1:
                raise Problem(f"{token} has more than two parts", "ValueError")
            return self.official(f"{self.table(alias)}.{rest[0]}")
        require(bool(tables), f"no table for {token}")
        for table in tables:
            if token in self.schema.tables.get(self.table(table), ()):
                return self.schema.names[f"{self.aliases[table]}.{token}"]
        raise Problem(f"no table in FROM has a column {token}")


def _found(names: Mapping[str, str], name: str) -> str:
    found = names.get(name)
    if found is None:
        raise Problem(f"{name} is not known", "KeyError")
    return found
