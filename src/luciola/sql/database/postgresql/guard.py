"""Whether a query on PostgreSQL only reads what it may, decided on the server's own parse tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from luciola.sql.database.postgresql.names import (
    AMPLIFIERS,
    EXTENSIONS,
    FUNCTIONS,
    MAX_AMPLIFIED,
    NODES,
    TYPES_REFUSED,
)
from luciola.sql.database.postgresql.tree import Node, readings

FIRST_OWN_OID = 16384
"""Objects below came with the server; those from here on were made by users and extensions."""
SYSTEM_SCHEMAS = ("pg_catalog", "information_schema", "pg_toast")
FUNCTION_FIELDS = ("funcid", "aggfnoid", "winfnoid", "tsmhandler")
OPERATOR_FIELDS = ("opno", "eqop", "sortop")
TYPE_FIELDS = ("resulttype", "consttype", "vartype", "funcresulttype", "array_typeid")
OPERATOR_NODES = ("OPEXPR", "DISTINCTEXPR", "NULLIFEXPR", "SCALARARRAYOPEXPR")
PLAIN_SELECT = {
    "commandType": "1",
    "utilityStmt": "<>",
    "hasModifyingCTE": "false",
    "hasForUpdate": "false",
    "rowMarks": "<>",
    "resultRelation": "0",
}


@dataclass(frozen=True)
class Function:
    """What the catalogue says of a function; `extension` is "" for one that belongs to none."""

    name: str
    schema: str = "pg_catalog"
    extension: str = ""
    is_cast: bool = False


@dataclass(frozen=True)
class Relation:
    """What the catalogue says of a table or view; `columns` by number."""

    schema: str
    name: str
    kind: str
    columns: Mapping[int, str]


@dataclass(frozen=True)
class Catalogue:
    """The objects that a tree names, by object id."""

    functions: Mapping[int, Function]
    operators: Mapping[int, Function]
    types: Mapping[int, str]
    relations: Mapping[int, Relation]


Allows = Callable[[str, str, str | None], bool]
"""Whether (schema, table, column) may be read; the column None: whether the table may."""


def named_objects(nodes: list[Node]) -> dict[str, set[int]]:
    """The object ids that the catalogue must be asked for."""
    found: dict[str, set[int]] = {"functions": set(), "operators": set(), "types": set()}
    for node in nodes:
        found["functions"] |= set(_ids(node, FUNCTION_FIELDS))
        found["operators"] |= set(_ids(node, OPERATOR_FIELDS))
        found["types"] |= set(_ids(node, TYPE_FIELDS))
        if node.label in ("ROWCOMPARE", "ROWCOMPAREEXPR"):
            found["operators"] |= set(_row_operators(node))
    found["relations"] = {reading.relation for reading in readings(nodes)}
    return found


def wishes(nodes: list[Node], known: Catalogue, trusted: frozenset[str]) -> Iterator[str]:
    """What the query wants beyond reading; nothing for a harmless one.

    Args:
        trusted: functions of the user's own that may be called besides, as `schema.name`.
    """
    for node in nodes:
        if node.label not in NODES:
            yield f"use {node.label.lower()}"
        if node.label == "QUERY":
            yield from _not_plain(node)
        if node.label == "PARAM" and node.word("paramkind") == "0":
            yield "use a parameter such as $1"
        if node.label == "TABLEFUNC" and node.word("functype") != "1":
            yield "call xmltable()"
        if node.label == "FUNCEXPR":
            yield from _amplified(node, known)
    yield from _calls(nodes, known, trusted)
    for oid in named_objects(nodes)["types"]:
        name = known.types.get(oid, "?")
        if name.lstrip("_") in TYPES_REFUSED or name == "?":
            yield f"use the type {name.lstrip('_')}"
    yield from _reads(nodes, known)


def _not_plain(query: Node) -> Iterator[str]:
    for name, expected in PLAIN_SELECT.items():
        found = query.fields.get(name, [expected])
        if found != [expected]:
            yield "lock rows" if name in ("rowMarks", "hasForUpdate") else "change the database"
            return


def _calls(nodes: list[Node], known: Catalogue, trusted: frozenset[str]) -> Iterator[str]:
    objects = named_objects(nodes)
    for oid in sorted(objects["functions"]):
        function = known.functions.get(oid)
        if function is None or not _is_harmless(oid, function, trusted):
            name = "an unknown function" if function is None else f"{function.name}()"
            yield f"call {name}"
    for oid in sorted(objects["operators"]):
        function = known.operators.get(oid)
        if function is None or not (oid < FIRST_OWN_OID or function.extension in EXTENSIONS):
            yield "use an operator that a user made"


def _is_harmless(oid: int, function: Function, trusted: frozenset[str]) -> bool:
    if f"{function.schema}.{function.name}" in trusted:
        return True
    if function.extension:
        return function.extension in EXTENSIONS or (
            function.extension == "postgis" and function.name.startswith("st_")
        )
    if oid >= FIRST_OWN_OID or function.schema != "pg_catalog":
        return False
    return function.is_cast or function.name in FUNCTIONS


def _amplified(node: Node, known: Catalogue) -> Iterator[str]:
    """Repeating and padding to a constant length that no result needs."""
    function = known.functions.get(node.number("funcid"))
    if function is None or function.name not in AMPLIFIERS:
        return
    for argument in (item for value in node.fields.get("args", []) for item in value):
        if not isinstance(argument, Node) or argument.label != "CONST":
            continue
        if argument.word("consttype") == "23" and _constant(argument) > MAX_AMPLIFIED:
            yield f"call {function.name}() with more than {MAX_AMPLIFIED:,}"


def _constant(node: Node) -> int:
    """The value of an int4 constant, which is printed as its bytes."""
    for value in node.fields.get("constvalue", []):
        if isinstance(value, list):
            return int.from_bytes([int(byte) & 255 for byte in value[:4]], "little", signed=True)
    return 0


def _reads(nodes: list[Node], known: Catalogue) -> Iterator[str]:
    for reading in readings(nodes):
        relation = known.relations.get(reading.relation)
        if (
            relation is None
            or reading.relation < FIRST_OWN_OID
            or relation.schema in SYSTEM_SCHEMAS
        ):
            yield "read " + ("a system table" if relation is None else _name(relation))
        elif relation.kind not in "rvmpf":
            yield f"read {_name(relation)}, which is no table"


def reads_hidden(nodes: list[Node], known: Catalogue, allows: Allows) -> bool:
    """Whether the query reads a table or column that is not allowed, if only in a whole row."""
    return any(
        _is_hidden(reading.columns, known.relations[reading.relation], allows)
        for reading in readings(nodes)
    )


def _is_hidden(columns: frozenset[int], relation: Relation, allows: Allows) -> bool:
    if not allows(relation.schema, relation.name, None):
        return True
    seen = {
        number: allows(relation.schema, relation.name, name)
        for number, name in relation.columns.items()
    }
    # 0 is the whole row, and what has no name is a system column
    return not all(seen.values()) and not all(seen.get(number, False) for number in columns)


def _name(relation: Relation) -> str:
    return relation.name if relation.schema == "public" else f"{relation.schema}.{relation.name}"


def _ids(node: Node, fields: tuple[str, ...]) -> Iterator[int]:
    for name in fields:
        if name in node.fields and (number := node.number(name)):
            yield number


def _row_operators(node: Node) -> Iterator[int]:
    for value in node.fields.get("opnos", []):
        for member in value if isinstance(value, list) else []:
            if member != "o":
                yield int(member)
