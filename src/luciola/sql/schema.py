"""The shape of a database: tables, columns, keys and row counts, read once and handed around.

One kind of object for SQLite, PostgreSQL, MySQL and DuckDB. Left out: indexes, and schemas other
than the connection's default one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.errors import DatabaseError

if TYPE_CHECKING:
    from luciola.sql.database.allowed import Allowed


@dataclass(frozen=True)
class Column:
    """One column; `type` as declared, in upper case, "" where nothing is declared."""

    name: str
    type: str = ""
    nullable: bool = True
    primary_key: bool = False
    comment: str = ""


@dataclass(frozen=True)
class ForeignKey:
    """`columns` refer to `referred_columns`; the referred table may not exist."""

    columns: tuple[str, ...]
    referred_table: str
    referred_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table or view. `primary_key` is in key order.

    `rows` is the count when it was read; None where it was not counted.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    rows: int | None = 0
    comment: str = ""

    def column(self, name: str) -> Column | None:
        """The column of that name, whatever its case."""
        wanted = name.lower()
        return next((column for column in self.columns if column.name.lower() == wanted), None)


@dataclass(frozen=True)
class Schema:
    """All tables of a database, in the order in which the database lists them.

    Args:
        dialect: "sqlite", "postgresql", "mysql", "mariadb" or "duckdb".
        tables: what prompts show.
        views: of the same kind; prompts show those alone that were asked for by name.
        unreadable: names of what this user, or SQLite without an extension, cannot read.
    """

    dialect: str
    tables: tuple[Table, ...]
    views: tuple[Table, ...] = ()
    unreadable: tuple[str, ...] = ()

    def table(self, name: str) -> Table | None:
        """The table of that name, whatever its case."""
        wanted = name.lower()
        return next((table for table in self.tables if table.name.lower() == wanted), None)

    @classmethod
    def from_json(cls, sent: Mapping[str, Any]) -> Schema:
        """What a worker sends: the same fields, with lists for tuples."""
        return cls(
            sent["dialect"],
            tuple(map(_table, sent["tables"])),
            tuple(map(_table, sent["views"])),
            tuple(sent["unreadable"]),
        )


def read_schema(database: str | Path, allowed: Allowed | None = None) -> Schema:
    """Read the schema of a SQLite file, or of the database that a URL names.

    Nothing is written, and a file that is missing stays missing.

    Args:
        allowed: the tables, views and columns that may be seen; None: all tables.

    Raises: DatabaseError where it cannot be opened, is no database or has no tables;
        MissingExtraError where the driver of another dialect is not installed.
    """
    from luciola.sql.database.address import display_name
    from luciola.sql.database.reading import reader

    schema = reader().schema(database, allowed)
    if not schema.tables:
        raise DatabaseError(f"the database {display_name(database)} has no tables")
    return schema


def _table(sent: Mapping[str, Any]) -> Table:
    return Table(
        name=sent["name"],
        columns=tuple(Column(**column) for column in sent["columns"]),
        primary_key=tuple(sent["primary_key"]),
        foreign_keys=tuple(
            ForeignKey(tuple(key["columns"]), key["referred_table"], tuple(key["referred_columns"]))
            for key in sent["foreign_keys"]
        ),
        rows=sent["rows"],
        comment=sent["comment"],
    )
