"""A session on a DuckDB file, within a worker process that can be killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.bounds import Bounds
from luciola.sql.database.duckdb.catalogue import read_schema
from luciola.sql.database.duckdb.connection import IS_INSTALLED, Connection, cell
from luciola.sql.database.duckdb.guard import refusals
from luciola.sql.database.duckdb.views import Views, known_tables, tables_of
from luciola.sql.database.limits import Limits
from luciola.sql.database.result import Cell
from luciola.sql.database.session import UNKNOWN, RefusedError, Rows, hidden
from luciola.sql.identifier import quoted, table_identifier
from luciola.sql.schema import Schema


def open_session(database: str, limits: Limits) -> DuckdbSession:
    """Open the file. Raises: RefusedError."""
    if not IS_INSTALLED:
        raise RefusedError("driver", "duckdb duckdb")
    return DuckdbSession(database, limits)


class DuckdbSession:
    """One connection to a file that did not change since."""

    def __init__(self, url: str, limits: Limits) -> None:
        self.path = Path(unquote(url.removeprefix("duckdb:///")))
        self.state = self._state()
        self.connection = Connection(self.path, limits)
        self.views = Views(self.connection)
        self.own_macros = self._own_macros()

    @property
    def is_current(self) -> bool:
        return self.state == self._state()

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
            return self._run(sql, limits, truncate, allowed)
        except RefusedError as error:
            raise hidden(error, allowed) from None

    def _run(self, sql: str, limits: Limits, truncate: bool, allowed: Allowed | None) -> Rows:
        with self.connection.limited(limits):
            self._check(sql, allowed)
            bounds = Bounds(limits, truncate)
            cursor = self.connection.raw.execute(sql)
            columns = [column[0] for column in cursor.description or ()]
            for row in iter(cursor.fetchone, None):
                if not bounds.add([cell(value) for value in row]):
                    return Rows(columns, bounds.rows, True)
            return Rows(columns, bounds.rows, False)

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        ask, file = self.connection.ask, self.connection.file
        with self.connection.limited(limits):
            self.connection.use_file()
            return read_schema(ask, file, allowed, limits if count else None)

    def values(
        self, table: str, column: str, limits: Limits, *, rows: int, most: int, longest: int
    ) -> list[Cell]:
        name = quoted(column, "duckdb")
        short = f" AND length({name}::VARCHAR) <= {longest}" if longest else ""
        place = table_identifier(table, "duckdb", always=True)
        sql = (
            f"SELECT DISTINCT {name} FROM (SELECT {name} FROM {place} LIMIT {rows}) "
            f"WHERE {name} IS NOT NULL{short} LIMIT {most}"
        )
        try:
            return [row[0] for row in self.trusted(sql, (), limits).rows]
        except RefusedError as error:
            if error.kind in ("timeout", "invalid", "memory", UNKNOWN):
                return []
            raise

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        with self.connection.limited(limits):
            self.connection.use_file()
            return self.connection.table(sql, parameters)

    def close(self) -> None:
        self.connection.close()

    def _check(self, sql: str, allowed: Allowed | None) -> None:
        """Let the guard see how DuckDB reads the query. Raises: RefusedError."""
        tables = tables_of(self.connection)
        self.views.show(tables, allowed)
        known = known_tables(tables, allowed, self.connection.file)
        serialised = self.connection.ask("SELECT json_serialize_sql(?)", [sql])[0][0]
        for kind, detail in refusals(str(serialised), known, self.own_macros):
            raise RefusedError(kind, detail)

    def _own_macros(self) -> frozenset[str]:
        rows = self.connection.ask(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE NOT internal"
        )
        return frozenset(str(row[0]) for row in rows)

    def _state(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError as error:
            raise RefusedError("database", error.strerror or str(error)) from None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
