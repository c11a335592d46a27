"""The tables of a server's database, through SQLAlchemy's inspection."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from luciola.sql.identifier import quoted
from luciola.sql.schema import Column, ForeignKey, Table

if TYPE_CHECKING:
    from sqlalchemy import Connection, Inspector


def count_rows(connection: Connection, table: str) -> int:
    """The number of rows of `table` now."""
    name = quoted(table, connection.dialect.name)
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())


def read_tables(connection: Connection, *, count: bool) -> tuple[Table, ...]:
    from sqlalchemy import inspect

    if connection.dialect.name == "duckdb":
        from luciola.sql.database import duckdb_catalogue

        return duckdb_catalogue.read_tables(connection, count=count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy warns of types that it does not know
        inspector = inspect(connection)
        names = inspector.get_table_names()
        return tuple(_read_table(connection, inspector, name, count) for name in names)


def _read_table(connection: Connection, inspector: Inspector, name: str, count: bool) -> Table:
    key = tuple(inspector.get_pk_constraint(name)["constrained_columns"])
    return Table(
        name=name,
        columns=tuple(_columns(connection, inspector.get_columns(name), key)),
        primary_key=key,
        foreign_keys=tuple(sorted(_foreign_keys(inspector, name), key=lambda key: key.columns)),
        rows=count_rows(connection, name) if count else None,
    )


def _columns(
    connection: Connection, found: Iterable[Any], key: tuple[str, ...]
) -> Iterable[Column]:
    for column in found:
        name = str(column["name"])
        yield Column(
            name=name,
            type=_type_name(column["type"], connection),
            nullable=bool(column.get("nullable", True)) and name not in key,
            primary_key=name in key,
        )


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
