"""The shape of a database: tables, columns, keys and row counts, read once and handed around.

Read through SQLAlchemy's inspection, so that SQLite, PostgreSQL, MySQL and DuckDB give one kind of
object. Left out: views, indexes, and schemas other than the connection's default one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.errors import DatabaseError
from luciola.sql.database import connected, display_name
from luciola.sql.identifier import quoted

if TYPE_CHECKING:
    from sqlalchemy import Connection, Inspector


@dataclass(frozen=True)
class Column:
    """One column; `type` as declared, in upper case, "" where nothing is declared."""

    name: str
    type: str = ""
    nullable: bool = True
    primary_key: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """`columns` refer to `referred_columns`; the referred table may not exist."""

    columns: tuple[str, ...]
    referred_table: str
    referred_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table. `primary_key` is in key order; `rows` is the count when it was read."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    rows: int = 0

    def column(self, name: str) -> Column | None:
        """The column of that name, whatever its case."""
        wanted = name.lower()
        return next((column for column in self.columns if column.name.lower() == wanted), None)


@dataclass(frozen=True)
class Schema:
    """All tables of a database, in the order in which the database lists them."""

    dialect: str
    tables: tuple[Table, ...]

    def table(self, name: str) -> Table | None:
        """The table of that name, whatever its case."""
        wanted = name.lower()
        return next((table for table in self.tables if table.name.lower() == wanted), None)


def read_schema(database: str | Path) -> Schema:
    """Read the schema of a SQLite file, or of the database that an SQLAlchemy URL names.

    Nothing is written, and a file that is missing stays missing.
    Raises: DatabaseError where it cannot be opened, is no database or has no tables;
        MissingExtraError where the driver of another dialect is not installed.
    """
    with connected(database) as connection:
        schema = Schema(connection.dialect.name, _read_tables(connection))
    if not schema.tables:
        raise DatabaseError(f"the database {display_name(database)} has no tables")
    return schema


def count_rows(connection: Connection, table: str) -> int:
    """The number of rows of `table` now."""
    name = quoted(table, connection.dialect.name)
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())


def _read_tables(connection: Connection) -> tuple[Table, ...]:
    from sqlalchemy import inspect

    if connection.dialect.name == "duckdb":
        from luciola.sql.duckdb_schema import read_tables

        return read_tables(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy warns of types that it does not know
        inspector = inspect(connection)
        names = _table_names(connection, inspector)
        return tuple(_read_table(connection, inspector, name) for name in names)


def _table_names(connection: Connection, inspector: Inspector) -> list[str]:
    """SQLite's in order of creation (related tables were mostly made together), without the tables
    in which its search indexes keep their own data."""
    names = inspector.get_table_names()
    if connection.dialect.name != "sqlite":
        return names
    made = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    order = {name: index for index, (name,) in enumerate(made)}
    listed = connection.exec_driver_sql("PRAGMA table_list").all()
    hidden = {row[1] for row in listed if row[2] == "shadow"}
    return sorted((name for name in names if name not in hidden), key=lambda name: order[name])


def _read_table(connection: Connection, inspector: Inspector, name: str) -> Table:
    key = tuple(inspector.get_pk_constraint(name)["constrained_columns"])
    return Table(
        name=name,
        columns=tuple(_columns(connection, inspector.get_columns(name), name, key)),
        primary_key=key,
        foreign_keys=tuple(sorted(_foreign_keys(inspector, name), key=lambda key: key.columns)),
        rows=count_rows(connection, name),
    )


def _columns(
    connection: Connection, found: Iterable[Any], table: str, key: tuple[str, ...]
) -> Iterable[Column]:
    declared = _declared_types(connection, table)
    for column in found:
        name = str(column["name"])
        yield Column(
            name=name,
            type=declared[name] if name in declared else _type_name(column["type"], connection),
            nullable=bool(column.get("nullable", True)) and name not in key,
            primary_key=name in key,
        )


def _declared_types(connection: Connection, table: str) -> dict[str, str]:
    """SQLite's types as written: SQLAlchemy forgets the names of those that it does not know."""
    if connection.dialect.name != "sqlite":
        return {}
    found = connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(table)})")
    return {row[1]: str(row[2]).upper() for row in found}


def _type_name(kind: Any, connection: Connection) -> str:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return str(kind.compile(dialect=connection.dialect)).upper()
    except (SQLAlchemyError, NotImplementedError):
        return type(kind).__name__.upper()


def _foreign_keys(inspector: Inspector, table: str) -> Iterable[ForeignKey]:
    from sqlalchemy.exc import NoSuchTableError

    try:
        found = inspector.get_foreign_keys(table)
    except NoSuchTableError:
        return
    for key in found:
        columns = tuple(key["constrained_columns"])
        yield ForeignKey(columns, key["referred_table"], tuple(key["referred_columns"]))
