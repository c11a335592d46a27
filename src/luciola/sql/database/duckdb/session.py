"""A session on a DuckDB file, within a worker process that can be killed.

The file is attached read-only to an empty database in memory; then access to everything outside is
switched off, and the configuration is locked. Where only some tables may be read, the query sees
views of their columns in the empty database, and names of the file's own catalogue are refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

try:
    import duckdb
except ImportError:  # told where a session is opened
    duckdb = None  # type: ignore[assignment]

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.bounds import Bounds
from luciola.sql.database.duckdb.catalogue import read_schema
from luciola.sql.database.duckdb.guard import refusals
from luciola.sql.database.duckdb.watchdog import Watchdog
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError, Rows
from luciola.sql.identifier import quoted, table_identifier
from luciola.sql.schema import Schema

RESERVED = ("memory", "temp", "system", "main", "information_schema", "pg_catalog")
SYSTEM_SCHEMAS = ("information_schema", "pg_catalog")
NO_MEMORY = (
    "Out of Memory",
    "could not allocate",
    "failed to allocate",
    "std::bad_alloc",
    "failed to pin",
)


def open_session(database: str, limits: Limits) -> DuckdbSession:
    """Open the file. Raises: RefusedError."""
    if duckdb is None:
        raise RefusedError("driver", "duckdb duckdb")
    return DuckdbSession(database, limits)


class DuckdbSession:
    """One connection to a file that did not change since."""

    def __init__(self, url: str, limits: Limits) -> None:
        self.path = Path(unquote(url.removeprefix("duckdb:///")))
        self.state = self._state()
        with self.path.open("rb") as file:
            start = file.read(12)
        if start[8:12] != b"DUCK":
            raise RefusedError("database", "it is not a DuckDB database")
        name = self.path.stem.lower()
        self.catalogue = name if name not in RESERVED else "database"
        memory = max(64, limits.max_memory_bytes * 3 // 5 // MIB)
        try:
            self.connection = duckdb.connect(
                ":memory:",
                config={
                    "threads": "1",
                    "memory_limit": f"{memory}MiB",
                    "temp_directory": "",
                    "autoinstall_known_extensions": "false",
                    "autoload_known_extensions": "false",
                    "allow_community_extensions": "false",
                    "python_enable_replacements": "false",
                },
            )
            path = str(self.path).replace("'", "''")
            self.connection.execute(
                f"ATTACH '{path}' AS {quoted(self.catalogue, 'duckdb')} (READ_ONLY)"
            )
            self.connection.execute("SET enable_external_access = false")
            self.connection.execute("SET lock_configuration = true")
        except duckdb.Error as error:
            raise RefusedError("database", _first_line(error)) from None
        self.watchdog = Watchdog(self.connection.interrupt)
        self.shown: str | None = None
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
        with self._limited(limits):
            tables = self._tables()
            self._show(tables, allowed)
            known = self._known(tables, allowed)
            serialised = self._ask("SELECT json_serialize_sql(?)", [sql])[0][0]
            for kind, detail in refusals(str(serialised), known, self.own_macros):
                raise RefusedError(kind, detail)
            bounds = Bounds(limits, truncate)
            cursor = self.connection.execute(sql)
            columns = [column[0] for column in cursor.description or ()]
            for row in iter(cursor.fetchone, None):
                if not bounds.add([_cell(value) for value in row]):
                    return Rows(columns, bounds.rows, True)
            return Rows(columns, bounds.rows, False)

    def schema(self, limits: Limits, *, allowed: Allowed | None, count: bool) -> Schema:
        with self._limited(limits):
            self._use_file()
            return read_schema(self._counted, self.catalogue, allowed, limits if count else None)

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
            with self._limited(limits):
                self._use_file()
                return [row[0] for row in self._ask(sql)]
        except RefusedError as error:
            if error.kind in ("timeout", "invalid", "memory"):
                return []
            raise

    def trusted(self, sql: str, parameters: Sequence[Cell], limits: Limits) -> Rows:
        with self._limited(limits):
            self._use_file()
            cursor = self.connection.execute(sql, list(parameters))
            names = [column[0] for column in cursor.description or ()]
            return Rows(names, [[_cell(value) for value in row] for row in cursor.fetchall()])

    def close(self) -> None:
        self.connection.close()

    def _ask(self, sql: str, parameters: Sequence[Cell] = ()) -> list[list[Cell]]:
        rows = self.connection.execute(sql, list(parameters)).fetchall()
        return [[_cell(value) for value in row] for row in rows]

    def _counted(self, sql: str, parameters: Sequence[Cell] = ()) -> list[list[Cell]]:
        with self._own_errors():
            return self._ask(sql, parameters)

    def _tables(self) -> dict[str, list[str]]:
        """Every table and view of the file ▶ its columns; beside the main schema as schema.name."""
        found: dict[str, list[str]] = {}
        for schema, table, column in self._ask(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal "
            "AND database_name = ? ORDER BY schema_name, table_name, column_index",
            [self.catalogue],
        ):
            name = str(table) if schema == "main" else f"{schema!s}.{table!s}"
            found.setdefault(name, []).append(str(column))
        return found

    def _own_macros(self) -> frozenset[str]:
        rows = self._ask(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE NOT internal"
        )
        return frozenset(str(row[0]) for row in rows)

    def _use_file(self) -> None:
        self.connection.execute(f"USE {quoted(self.catalogue, 'duckdb')}.main")

    def _show(self, tables: Mapping[str, Sequence[str]], allowed: Allowed | None) -> None:
        """Make the views of what is allowed, where not all is, and let names be found in them."""
        if allowed is None:
            self._use_file()
            return
        self.connection.execute("USE memory.main")
        wanted = repr((allowed.to_json(), tables))
        if wanted == self.shown:
            return
        for schema, view in self._ask(
            "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal "
            "AND database_name = 'memory'"
        ):
            place = f"{quoted(str(schema), 'duckdb')}.{quoted(str(view), 'duckdb')}"
            self.connection.execute(f"DROP VIEW memory.{place}")
        for table, columns in tables.items():
            chosen = [name for name in columns if allowed.column(table, name)]
            if not chosen:
                continue
            place = table_identifier(table, "duckdb", always=True)
            source = place if "." in table else f"main.{place}"
            if "." in table:
                schema = quoted(table.partition(".")[0], "duckdb")
                self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS memory.{schema}")
            names = ", ".join(quoted(name, "duckdb") for name in chosen)
            self.connection.execute(
                f"CREATE VIEW memory.{source} AS SELECT {names} "
                f"FROM {quoted(self.catalogue, 'duckdb')}.{source}"
            )
        self.shown = wanted

    def _known(self, tables: Mapping[str, Sequence[str]], allowed: Allowed | None) -> Any:
        names = {name.lower() for name in tables if allowed is None or allowed.table(name)}

        def is_table(path: tuple[str, ...]) -> bool:
            parts = [part.lower() for part in path]
            if allowed is None and len(parts) > 1 and parts[0] == self.catalogue:
                parts = parts[1:]
            if len(parts) == 2 and parts[0] == "main":
                parts = parts[1:]
            return ".".join(parts) in names

        return is_table

    @contextlib.contextmanager
    def _limited(self, limits: Limits) -> Iterator[None]:
        """Interrupted at the limit; DuckDB's errors become ours."""
        self.watchdog.start(limits.timeout_s)
        try:
            with self._own_errors():
                yield
        except RefusedError:
            if self.watchdog.stop():
                raise RefusedError("timeout") from None
            raise
        finally:
            self.watchdog.stop()

    @contextlib.contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except duckdb.InterruptException:
            raise RefusedError("timeout") from None
        except duckdb.Error as error:
            text = _first_line(error)
            if isinstance(error, duckdb.OutOfMemoryException) or any(
                phrase in text for phrase in NO_MEMORY
            ):
                raise RefusedError("memory") from None
            is_refused = isinstance(error, duckdb.PermissionException) or "read-only" in text
            raise RefusedError("forbidden" if is_refused else "invalid", text) from None
        except (ValueError, OverflowError) as error:  # a date that Python does not have
            raise RefusedError("invalid", str(error)) from None

    def _state(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError as error:
            raise RefusedError("database", error.strerror or str(error)) from None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _cell(value: Any) -> Cell:
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    if isinstance(value, Decimal):
        return (
            int(value)
            if value == value.to_integral_value() and value.as_tuple().exponent == 0
            else float(value)
        )
    return bytes(value) if isinstance(value, bytearray | memoryview) else str(value)


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ")
