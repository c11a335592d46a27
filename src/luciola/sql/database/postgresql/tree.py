"""PostgreSQL's own reading of a query: the parse tree that `debug_print_parse` sends.

In it names are resolved as the server will run them: functions, operators and tables are object
ids, and each table carries the columns that the query reads of it. Identifiers in Unicode escapes,
implicit casts and `t.function` are no special cases.
Source of the format: outfuncs.c of PostgreSQL 12 to 18.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(r'[(){}\[\]]|"(?:[^"\\]|\\.)*"|(?:\\.|[^\s(){}\[\]\\])+', re.DOTALL)
FIRST_COLUMN = 7
"""A column set counts from the lowest system column: 7 is the whole row, 8 the first column."""


@dataclass
class Node:
    """One node: `{LABEL :field value ...}`; a value is a word, a Node, or a list of these."""

    label: str
    fields: dict[str, Any] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The field as an object id or count; 0 where it is missing. Raises: ValueError."""
        value = self.fields.get(name, ["0"])
        return int(value[0]) if value else 0

    def word(self, name: str) -> str:
        """The field as text, "" where it is missing or empty."""
        value = self.fields.get(name) or [""]
        return value[0] if isinstance(value[0], str) and value[0] != "<>" else ""


@dataclass(frozen=True)
class Reading:
    """Columns that a query reads of a table, by number; 0: the whole row, below: the system's."""

    relation: int
    columns: frozenset[int]


def read_tree(text: str) -> list[Node]:
    """All nodes of a parse tree, outer ones first.

    Raises: ValueError where the text is no such tree.
    """
    found: list[Node] = []
    stack: list[tuple[Any, str]] = []
    values: list[Any] = []  # what is being filled: a field's values, or a list's items
    name = ""
    for token in TOKEN.findall(text):
        if token == "{":
            node = Node("")
            values.append(node)
            found.append(node)
            stack.append((values, name))
            values, name = [], "label"
            stack.append((node, ""))
        elif token == "}":
            node, _ = stack.pop()
            _fill(node, name, values)
            values, name = stack.pop()
        elif token in "([":
            inner: list[Any] = []
            values.append(inner)
            stack.append((values, name))
            values = inner
        elif token in ")]":
            values, name = stack.pop()
        elif token[0] == ":" and len(token) > 1 and stack and isinstance(stack[-1][0], Node):
            _fill(stack[-1][0], name, values)
            values, name = [], token[1:]
        else:
            values.append(token)
    if stack or not found:
        raise ValueError("the parse tree is cut off")
    return found


def _fill(node: Node, name: str, values: list[Any]) -> None:
    if name == "label":
        node.label = str(values[0]) if values else ""
    elif name in node.fields:
        raise ValueError(f"the field {name} stands twice")
    else:
        node.fields[name] = values


def readings(nodes: list[Node]) -> Iterator[Reading]:
    """Each table of the query with its columns.

    They stand in the table's entry up to PostgreSQL 15, in RTEPERMISSIONINFO from 16 on.
    """
    for node in nodes:
        if node.label in ("RTE", "RANGETBLENTRY", "RTEPERMISSIONINFO") and node.number("relid"):
            yield Reading(node.number("relid"), frozenset(_columns(node)))


def _columns(node: Node) -> Iterator[int]:
    for value in node.fields.get("selectedCols", []):
        for member in value if isinstance(value, list) else []:
            if member != "b":
                yield int(member) - FIRST_COLUMN
