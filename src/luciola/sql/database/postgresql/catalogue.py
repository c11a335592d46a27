"""PostgreSQL's catalogue: the objects that a query names, and the tables that this user may read.

A table of another schema is called `schema.table`; one whose own name holds a dot is left out, and
named as not readable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.counting import Counter
from luciola.sql.database.limits import Limits
from luciola.sql.database.postgresql.guard import Catalogue, Function, Relation, named_objects
from luciola.sql.database.postgresql.tree import Node
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError
from luciola.sql.identifier import table_identifier
from luciola.sql.schema import Column, ForeignKey, Schema, Table

Ask = Callable[..., list[list[Cell]]]
SYSTEM = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'"
FUNCTIONS = """SELECT p.oid, p.proname, n.nspname, coalesce(x.extname, ''),
      EXISTS (SELECT 1 FROM pg_cast c WHERE c.castfunc = p.oid AND c.oid < 16384)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
      AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
    LEFT JOIN pg_extension x ON x.oid = d.refobjid WHERE p.oid = ANY($1::oid[])"""
OPERATORS = """SELECT o.oid, o.oprname, n.nspname, coalesce(x.extname, '')
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_operator'::regclass AND d.objid = o.oid
      AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
    LEFT JOIN pg_extension x ON x.oid = d.refobjid WHERE o.oid = ANY($1::oid[])"""
TYPES = "SELECT oid, typname FROM pg_type WHERE oid = ANY($1::oid[])"
RELATIONS = """SELECT c.oid, n.nspname, c.relname, c.relkind FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1::oid[])"""
ATTRIBUTES = """SELECT attrelid, attnum, attname FROM pg_attribute
    WHERE attrelid = ANY($1::oid[]) AND attnum > 0 AND NOT attisdropped"""
TABLES = f"""SELECT c.oid, n.nspname, c.relname, c.relkind, obj_description(c.oid, 'pg_class'),
      has_schema_privilege(n.oid, 'USAGE') AND (has_table_privilege(c.oid, 'SELECT')
        OR has_any_column_privilege(c.oid, 'SELECT'))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition AND {SYSTEM}
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY n.nspname <> $1, n.nspname, c.oid"""
COLUMNS = """SELECT a.attrelid, a.attnum, a.attname, upper(format_type(a.atttypid, a.atttypmod)),
      a.attnotnull, col_description(a.attrelid, a.attnum)
    FROM pg_attribute a WHERE a.attrelid = ANY($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
      AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') ORDER BY a.attrelid, a.attnum"""
KEYS = """SELECT conrelid, contype, array_to_json(conkey)::text, confrelid,
      array_to_json(confkey)::text FROM pg_constraint
    WHERE conrelid = ANY($1::oid[]) AND contype IN ('p', 'f') ORDER BY conrelid, conname"""


def default_schema(ask: Ask) -> str:
    """The schema in which bare names are found first; "" where there is none."""
    return str(ask("SELECT coalesce(current_schema(), '')")[0][0])


def catalogue(ask: Ask, nodes: list[Node]) -> Catalogue:
    """What the catalogue says of all objects that the tree names."""
    wanted = {kind: _array(oids) for kind, oids in named_objects(nodes).items()}
    columns: dict[int, dict[int, str]] = defaultdict(dict)
    for oid, number, name in ask(ATTRIBUTES, [wanted["relations"]]):
        columns[int(oid)][int(number)] = str(name)  # type: ignore[arg-type]
    return Catalogue(
        functions={
            row[0]: Function(*row[1:]) for row in _asked(ask, FUNCTIONS, wanted["functions"])
        },
        operators={
            row[0]: Function(*row[1:]) for row in _asked(ask, OPERATORS, wanted["operators"])
        },
        types={row[0]: row[1] for row in _asked(ask, TYPES, wanted["types"])},
        relations={
            row[0]: Relation(row[1], row[2], row[3], columns[row[0]])
            for row in _asked(ask, RELATIONS, wanted["relations"])
        },
    )


def _asked(ask: Ask, sql: str, array: str) -> list[list[Any]]:
    return [] if array == "{}" else ask(sql, [array])


def read_schema(ask: Ask, default: str, allowed: Allowed | None, limits: Limits | None) -> Schema:
    """The tables that this user may read, those of the default schema first.

    Args:
        limits: of counting the rows; None: nothing is counted.
    """
    found: list[Any] = ask(TABLES, [default])
    readable = [row for row in found if row[5] and "." not in row[2] and "." not in row[1]]
    hidden = [_name(row[1], row[2], default) for row in found if row not in readable]
    names = {row[0]: _name(row[1], row[2], default) for row in readable}
    array = _array(names)
    columns: dict[int, dict[int, Any]] = defaultdict(dict)
    for oid, number, *rest in ask(COLUMNS, [array]):
        columns[int(oid)][int(number)] = rest  # type: ignore[arg-type]
    keys: dict[int, list[Any]] = defaultdict(list)
    for oid, *rest in ask(KEYS, [array]):
        keys[int(oid)].append(rest)  # type: ignore[arg-type]
    count = Counter(_in_savepoints(ask), limits)
    shown: dict[bool, list[Table]] = {False: [], True: []}
    for row in readable:
        if allowed is None or allowed.table(names[row[0]]):
            table = _table(row, columns, keys[row[0]], names, allowed, count)
            if table.columns:
                shown[row[3] in "vm"].append(table)
    hidden = hidden if allowed is None else []
    return Schema("postgresql", tuple(shown[False]), tuple(shown[True]), tuple(hidden))


def _in_savepoints(ask: Ask) -> Ask:
    """An error leaves the transaction usable: a view may fail where its tables do not."""

    def asked(sql: str) -> list[list[Cell]]:
        ask("SAVEPOINT luciola")
        try:
            return ask(sql)
        except RefusedError as error:
            if error.kind != "database":
                ask("ROLLBACK TO SAVEPOINT luciola")
            raise

    return asked


def _table(
    row: list[Any],
    columns: dict[int, dict[int, Any]],
    keys: list[Any],
    names: dict[int, str],
    allowed: Allowed | None,
    count: Counter,
) -> Table:
    oid, _, _, _, comment, _ = row
    name = names[oid]
    numbers = {
        number: column
        for number, column in columns[oid].items()
        if allowed is None or allowed.column(name, column[0])
    }
    primary: tuple[str, ...] = ()
    foreign: list[ForeignKey] = []
    for kind_of_key, own, other, referred in keys:
        own_names = _columns(numbers, own)
        if kind_of_key == "p":
            primary = own_names
        elif other in names and own_names:
            foreign.append(ForeignKey(own_names, names[other], _columns(columns[other], referred)))
    return Table(
        name=name,
        columns=tuple(
            Column(text, declared, not required, text in primary, comment=remark or "")
            for text, declared, required, remark in numbers.values()
        ),
        primary_key=primary,
        foreign_keys=tuple(sorted(foreign, key=lambda key: key.columns)),
        rows=count(table_identifier(name, "postgresql", always=True)),
        comment=comment or "",
    )


def _columns(known: dict[int, Any], numbers: str) -> tuple[str, ...]:
    """Names of a key's columns; none where one of them may not be read."""
    wanted = [int(number) for number in numbers.strip("[]").split(",") if number]
    if any(number not in known for number in wanted):
        return ()
    return tuple(known[number][0] for number in wanted)


def _name(schema: str, table: str, default: str) -> str:
    return table if schema == default else f"{schema}.{table}"


def _array(oids: Iterable[int]) -> str:
    return "{" + ",".join(map(str, sorted(oids))) + "}"
