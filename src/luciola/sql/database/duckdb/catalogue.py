"""DuckDB's tables and views from its own catalogue functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.counting import Counter
from luciola.sql.database.limits import Limits
from luciola.sql.database.result import Cell
from luciola.sql.identifier import table_identifier
from luciola.sql.schema import Column, ForeignKey, Schema, Table

Ask = Callable[..., list[list[Cell]]]
TABLES = """SELECT schema_name, table_name, comment, false, table_oid FROM duckdb_tables()
      WHERE NOT internal AND database_name = $1
    UNION ALL SELECT schema_name, view_name, comment, true, view_oid FROM duckdb_views()
      WHERE NOT internal AND database_name = $1
    ORDER BY schema_name <> 'main', schema_name, table_oid"""
COLUMNS = """SELECT schema_name, table_name, column_name, data_type, is_nullable, comment
    FROM duckdb_columns() WHERE NOT internal AND database_name = $1
    ORDER BY schema_name, table_name, column_index"""
KEYS = """SELECT schema_name, table_name, constraint_type,
      to_json(constraint_column_names)::VARCHAR, referenced_table,
      to_json(referenced_column_names)::VARCHAR FROM duckdb_constraints()
    WHERE database_name = $1 AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')
    ORDER BY constraint_index"""


def read_schema(ask: Ask, catalogue: str, allowed: Allowed | None, limits: Limits | None) -> Schema:
    """Tables in order of creation, those of the main schema first, and views.

    Args:
        limits: of counting the rows; None: nothing is counted.
    """
    columns: dict[str, list[Any]] = defaultdict(list)
    for schema, table, *rest in ask(COLUMNS, [catalogue]):
        columns[_name(schema, table)].append(rest)
    keys: dict[str, list[Any]] = defaultdict(list)
    for schema, table, *rest in ask(KEYS, [catalogue]):
        keys[_name(schema, table)].append([schema, *rest])
    count = Counter(ask, limits)
    found: dict[bool, list[Table]] = {False: [], True: []}
    for schema, table, comment, is_view, _ in ask(TABLES, [catalogue]):
        name = _name(schema, table)
        shown = [
            column for column in columns[name] if allowed is None or allowed.column(name, column[0])
        ]
        if shown:
            found[bool(is_view)].append(_table(name, str(comment or ""), shown, keys[name], count))
    return Schema("duckdb", tuple(found[False]), tuple(found[True]))


def _table(name: str, comment: str, shown: list[Any], keys: list[Any], count: Counter) -> Table:
    import json

    known = {column[0] for column in shown}
    primary: tuple[str, ...] = ()
    foreign: list[ForeignKey] = []
    for schema, kind, own, referred_table, referred in keys:
        names = tuple(json.loads(own))
        if not known.issuperset(names):
            continue
        if kind == "PRIMARY KEY":
            primary = names
        else:
            target = _name(schema, referred_table)
            foreign.append(ForeignKey(names, target, tuple(json.loads(referred))))
    return Table(
        name=name,
        columns=tuple(
            Column(
                text,
                declared,
                bool(nullable) and text not in primary,
                text in primary,
                comment=str(remark or ""),
            )
            for text, declared, nullable, remark in shown
        ),
        primary_key=primary,
        foreign_keys=tuple(sorted(foreign, key=lambda key: key.columns)),
        rows=count(table_identifier(name, "duckdb", always=True)),
        comment=comment,
    )


def _name(schema: Any, table: Any) -> str:
    return str(table) if schema == "main" else f"{schema}.{table}"
