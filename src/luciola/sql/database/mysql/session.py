"""A session on MySQL or MariaDB, within a worker process.

Each query runs in a read-only transaction that is rolled back, with the server's own limits of time
and memory; its rows are read one by one. Nothing is interpolated, so that `%` is itself. Where only
some tables may be read, it runs on a second connection without a default database (see the guard).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.limits import Limits
from luciola.sql.database.mysql import guard
from luciola.sql.database.mysql.catalogue import read_schema, readable_columns
from luciola.sql.database.mysql.connection import IS_INSTALLED, Connection
from luciola.sql.database.mysql.restricting import restricted
from luciola.sql.database.mysql.running import run_limited
from luciola.sql.database.result import Cell
from luciola.sql.database.session import UNKNOWN, RefusedError, Rows, hidden
from luciola.sql.database.url import parse_url
from luciola.sql.identifier import quoted
from luciola.sql.schema import Schema


def open_session(database: str, limits: Limits) -> MysqlSession:
    """Connect. Raises: RefusedError."""
    if not IS_INSTALLED:
        raise RefusedError("driver", "pymysql mysql")
    return MysqlSession(database)


class MysqlSession:
    """One connection with the database as default, and one without any where needed."""

    def __init__(self, url: str) -> None:
        try:
            self.address = parse_url(url)
        except ValueError as error:
            raise RefusedError("database", str(error)) from None
        self.name = self.address.name
        if not self.name:
            raise RefusedError("database", "the URL names no database")
        self.connection = Connection(self.address, self.name)
        self.bare: Connection | None = None
        self.dialect = "mariadb" if self.connection.is_mariadb else "mysql"

    @property
    def is_current(self) -> bool:
        return self.connection.is_open

    def run(
        self,
        sql: str,
        limits: Limits,
        *,
        truncate: bool,
        allowed: Allowed | None,
        options: Mapping[str, bool],
    ) -> Rows:
        try:
            found = guard.pieces(sql)
            guard.check(found, self.name, self._databases())
            if allowed is None:
                return run_limited(self.connection, guard.text(found), limits, truncate)
            chosen = readable_columns(self.connection.ask, self.name, allowed)
            text = restricted(found, self.name, chosen)
        except guard.QueryRefusedError as error:
            raise RefusedError(error.kind, error.detail) from None
        if self.bare is None or not self.bare.is_open:
            self.bare = Connection(self.address, None)
        try:
            return run_limited(self.bare, text, limits, truncate)
        except RefusedError as error:
            raise hidden(error, allowed) from None

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        with self.connection.transaction(limits):
            return read_schema(
                self.connection.ask, self.name, self.dialect, allowed, limits if count else None
            )

    def values(
        self, table: str, column: str, limits: Limits, *, rows: int, most: int, longest: int
    ) -> list[Cell]:
        name = quoted(column, "mysql")
        short = f" AND char_length({name}) <= {longest}" if longest else ""
        sql = (
            f"SELECT DISTINCT {name} FROM (SELECT {name} FROM {quoted(table, 'mysql')} "
            f"LIMIT {rows}) AS looked_at WHERE {name} IS NOT NULL{short} LIMIT {most}"
        )
        try:
            with self.connection.transaction(limits):
                return [row[0] for row in self.connection.ask(sql)]
        except RefusedError as error:
            if error.kind in ("timeout", "invalid", UNKNOWN):
                return []
            raise

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        with self.connection.transaction(limits):
            return self.connection.table(sql, parameters)

    def close(self) -> None:
        for connection in (self.connection, self.bare):
            if connection is not None:
                connection.close()

    def _databases(self) -> list[str]:
        return [str(row[0]) for row in self.connection.ask("SHOW DATABASES")]
