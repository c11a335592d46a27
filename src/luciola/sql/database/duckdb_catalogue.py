"""DuckDB's tables from its own catalogue functions.

SQLAlchemy's inspection does not work there: duckdb-engine 0.17 asks DuckDB 2.0 as if it were
PostgreSQL, for the type REGCLASS, which it does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luciola.sql.identifier import quoted
from luciola.sql.schema import Column, ForeignKey, Table

if TYPE_CHECKING:
    from sqlalchemy import Connection

HERE = "NOT internal AND schema_name = current_schema()"
TABLES = f"SELECT table_name FROM duckdb_tables() WHERE {HERE} ORDER BY table_oid"
COLUMNS = f"""SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns()
    WHERE {HERE} ORDER BY table_name, column_index"""
KEYS = """SELECT table_name, constraint_type, constraint_column_names, referenced_table,
    referenced_column_names FROM duckdb_constraints() WHERE schema_name = current_schema()
    AND constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY') ORDER BY constraint_index"""


def read_tables(connection: Connection, *, count: bool) -> tuple[Table, ...]:
    """All tables of the current schema, in order of creation."""
    names = [name for (name,) in connection.exec_driver_sql(TABLES)]
    columns = [tuple(row) for row in connection.exec_driver_sql(COLUMNS)]
    keys = [tuple(row) for row in connection.exec_driver_sql(KEYS)]
    return tuple(
        _table(
            name,
            [row[1:] for row in columns if row[0] == name],
            [row[1:] for row in keys if row[0] == name],
            _count(connection, name) if count else None,
        )
        for name in names
    )


def _table(name: str, columns: list[tuple], keys: list[tuple], rows: int | None) -> Table:  # type: ignore[type-arg]
    primary = next((tuple(key[1]) for key in keys if key[0] == "PRIMARY KEY"), ())
    foreign = (key for key in keys if key[0] == "FOREIGN KEY")
    return Table(
        name=name,
        columns=tuple(
            Column(column, kind, bool(nullable) and column not in primary, column in primary)
            for column, kind, nullable in columns
        ),
        primary_key=primary,
        foreign_keys=tuple(ForeignKey(tuple(key[1]), key[2], tuple(key[3])) for key in foreign),
        rows=rows,
    )


def _count(connection: Connection, table: str) -> int:
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {quoted(table)}").scalar_one())
