"""A session on PostgreSQL, within a worker process.

Each query runs in a read-only transaction that is rolled back. It is prepared first, which runs
nothing; the server tells how it understands the query, and the guard decides on that. Rows are read
one by one. Nothing is interpolated, so that `%` and `:` are themselves.

A superuser's connection becomes pg_read_all_data for the query, who can read tables and nothing
else; not where a table has row security or is foreign, which would show other rows to that role.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.backend import ServerMemory
from luciola.sql.database.limits import Limits
from luciola.sql.database.postgresql.catalogue import catalogue, default_schema, read_schema
from luciola.sql.database.postgresql.cells import column_names, rows
from luciola.sql.database.postgresql.connection import IS_INSTALLED, Connection
from luciola.sql.database.postgresql.guard import Allows, reads_hidden, wishes
from luciola.sql.database.postgresql.running import run_prepared
from luciola.sql.database.postgresql.tree import read_tree
from luciola.sql.database.result import Cell
from luciola.sql.database.session import UNKNOWN, RefusedError, Rows, hidden
from luciola.sql.identifier import quoted, table_identifier
from luciola.sql.schema import Schema

ROLES_SINCE = 140000
"""The first version that has pg_read_all_data."""


def open_session(database: str, limits: Limits) -> PostgresqlSession:
    """Connect. Raises: RefusedError."""
    if not IS_INSTALLED:
        raise RefusedError("driver", "psycopg postgresql")
    return PostgresqlSession(database)


class PostgresqlSession:
    """One connection; a new one is made where it is lost."""

    def __init__(self, url: str) -> None:
        self.connection = Connection(url)
        self.ask = self.connection.ask
        self.schema_name = default_schema(self.ask)
        self.memory = ServerMemory(self.connection.raw.backend_pid, b"postgres")

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
        if "\0" in sql:
            raise RefusedError("invalid", "it contains a NUL character")
        deadline = time.monotonic() + limits.timeout_s
        with self.connection.transaction(limits):
            try:
                relations = self._check(sql, allowed)
            except RefusedError as error:
                raise hidden(error, allowed) from None
            if self._may_lower_role(relations):
                self.connection.command("SET LOCAL ROLE pg_read_all_data")
            return run_prepared(
                self.connection.raw, self.memory, limits, deadline=deadline, truncate=truncate
            )

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        with self.connection.transaction(limits):
            return read_schema(self.ask, self.schema_name, allowed, limits if count else None)

    def values(
        self, table: str, column: str, limits: Limits, *, rows: int, most: int, longest: int
    ) -> list[Cell]:
        name = quoted(column, "postgresql")
        short = f" AND length({name}::text) <= {longest}" if longest else ""
        sql = (
            f"SELECT DISTINCT {name} FROM (SELECT {name} FROM "
            f"{table_identifier(table, 'postgresql', always=True)} LIMIT {rows}) AS looked_at "
            f"WHERE {name} IS NOT NULL{short} LIMIT {most}"
        )
        try:
            with self.connection.transaction(limits):
                return [row[0] for row in self.ask(sql)]
        except RefusedError as error:  # json and other types without an equality; a slow table
            if error.kind in ("timeout", "invalid", UNKNOWN):
                return []
            raise

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        with self.connection.transaction(limits):
            result = self.connection.result(sql, parameters)
            return Rows(column_names(result), rows(result))

    def close(self) -> None:
        self.connection.close()

    def _check(self, sql: str, allowed: Allowed | None) -> list[int]:
        """Let the guard see how the server understands the query; the tables that it reads."""
        try:
            nodes = read_tree(self.connection.prepare(sql))
        except ValueError as error:
            raise RefusedError("forbidden", f"do what is not understood ({error})") from None
        known = catalogue(self.ask, nodes)
        for wish in wishes(nodes, known, frozenset()):
            raise RefusedError("forbidden", wish)
        if allowed is not None and reads_hidden(nodes, known, self._allows(allowed)):
            raise RefusedError("hidden", str(allowed))
        return list(known.relations)

    def _allows(self, allowed: Allowed) -> Allows:
        def allows(schema: str, table: str, column: str | None) -> bool:
            name = table if schema == self.schema_name else f"{schema}.{table}"
            return allowed.table(name) if column is None else allowed.column(name, column)

        return allows

    def _may_lower_role(self, relations: list[int]) -> bool:
        if not self.connection.is_superuser or self.connection.raw.server_version < ROLES_SINCE:
            return False
        found = self.ask(
            "SELECT 1 FROM pg_class WHERE oid = ANY($1::oid[])"
            " AND (relrowsecurity OR relkind = 'f')",
            ["{" + ",".join(map(str, relations)) + "}"],
        )
        return not found
