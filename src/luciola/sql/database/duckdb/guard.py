"""Whether a query on DuckDB only reads, decided on DuckDB's own parse tree (json_serialize_sql).

Left out: PIVOT as a statement, DESCRIBE, SHOW and SUMMARIZE, which DuckDB turns into several.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from luciola.sql.database.duckdb.names import (
    AMPLIFIERS,
    CLASSES,
    FUNCTIONS,
    MAX_REPEATED,
    NODES,
    OPERATORS,
    SOURCES,
    TABLE_FUNCTIONS,
)
from luciola.sql.database.session import UNKNOWN

Refusal = tuple[str, str]
"""A kind of error, "forbidden", "invalid" or "unknown", and what is the matter."""
WORDS = re.compile(r"[\w ]+")
CATALOGUES = ("duckdb_", "information_schema", "pg_", "pragma_", "sqlite_")
IsTable = Callable[[tuple[str, ...]], bool]


def refusals(
    serialised: str, is_table: IsTable, own_macros: frozenset[str] = frozenset()
) -> Iterator[Refusal]:
    """What speaks against running the query; nothing for a harmless one.

    Args:
        serialised: the answer of json_serialize_sql.
        is_table: whether these parts of a name are a table or view that may be read.
        own_macros: functions that the database defines itself; one may hide a harmless name.
    """
    try:
        answer = json.loads(serialised)
    except RecursionError:
        yield "invalid", "it is nested too deeply"
        return
    if answer.get("error"):
        message = str(answer.get("error_message", "it does not parse")).partition("\n")[0]
        if "Only SELECT" in message:
            yield "forbidden", "do something other than SELECT"
        else:
            yield "invalid", message
        return
    statements = answer["statements"]
    if len(statements) != 1:
        yield "invalid", f"one statement is expected, and there are {len(statements)}"
        return
    if statements[0].get("named_param_map"):
        yield "forbidden", "use a parameter"
    yield from _walked(statements[0]["node"], is_table, own_macros)


def _walked(tree: Any, is_table: IsTable, own_macros: frozenset[str]) -> Iterator[Refusal]:
    nodes = list(_nodes(tree))
    shared = {
        str(entry["key"]).lower() for node in nodes for entry in _entries(node.get("cte_map"))
    } | {str(node["cte_name"]).lower() for node in nodes if "cte_name" in node}
    for node in nodes:
        kind = node.get("type")
        if "class" in node:
            yield from _expression(node, own_macros)
        elif "select_list" in node or "setop_type" in node or "cte_name" in node:
            if kind not in NODES:
                yield "forbidden", f"use {str(kind).lower()}"
        elif kind == "BASE_TABLE":
            path = tuple(str(part) for part in node["qualified_name"]["path"])
            if not (len(path) == 1 and path[0].lower() in shared) and not is_table(path):
                yield _no_table(path)
            if node.get("at_clause"):
                yield "forbidden", "read another version of a table"
        elif kind == "TABLE_FUNCTION":
            if node["function"].get("class") != "FUNCTION":
                yield "forbidden", "call a table function that is not known"
        elif "query_location" in node and isinstance(kind, str) and kind not in SOURCES:
            yield "forbidden", f"use {kind.lower()}"
    for node in nodes:
        if node.get("type") == "TABLE_FUNCTION" and "function" in node:
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                yield "forbidden", f"call {name}()"


def _expression(node: dict[str, Any], own_macros: frozenset[str]) -> Iterator[Refusal]:
    if node["class"] not in CLASSES:
        yield "forbidden", f"use {str(node['class']).lower()}"
    if "function_name" not in node:
        return
    name = str(node["function_name"]).lower()
    path = node.get("qualified_name", {}).get("path", [name])
    if len(path) > 1 or node.get("schema") or node.get("catalog"):
        yield "forbidden", f"call {'.'.join(map(str, path))}()"
    elif node.get("is_operator") or not name[:1].isalpha():
        if name not in OPERATORS and name not in FUNCTIONS:
            yield "forbidden", f"use the operator {name}"
    elif name in own_macros or (name not in FUNCTIONS and name not in TABLE_FUNCTIONS):
        yield "forbidden", f"call {name}()"
    elif name in AMPLIFIERS and name not in ("range", "generate_series"):
        for argument in node.get("arguments", []):
            literal = argument.get("expression", {}).get("literal", {})
            if literal.get("kind") == "INTEGER" and int(literal.get("text", 0)) > MAX_REPEATED:
                yield "forbidden", f"call {name}() with more than {MAX_REPEATED:,}"


def _no_table(path: tuple[str, ...]) -> Refusal:
    """A slip of the pen is no attack; a file's or a catalogue's name may be one."""
    name = ".".join(path)
    is_plain = len(path) <= 2 and all(map(WORDS.fullmatch, path))
    if is_plain and not any(part.lower().startswith(CATALOGUES) for part in path):
        return UNKNOWN, f"there is no table {name}"
    return "forbidden", f"read {name}, which is no table that may be read"


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects in the tree, without recursion."""
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _entries(cte_map: Any) -> list[dict[str, Any]]:
    return list(cte_map.get("map", [])) if isinstance(cte_map, dict) else []
