"""Where only some tables may be read: views of their columns in the empty database.

A query then finds these views by the tables' own names; names of the file's catalogue are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.duckdb.connection import Connection
from luciola.sql.identifier import quoted, table_identifier

Tables = Mapping[str, Sequence[str]]
"""Each table and view of the file ▶ its columns; one beside the main schema is schema.name."""


def tables_of(connection: Connection) -> Tables:
    """Every table and view of the file."""
    found: dict[str, list[str]] = {}
    for schema, table, column in connection.ask(
        "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal "
        "AND database_name = ? ORDER BY schema_name, table_name, column_index",
        [connection.file],
    ):
        name = str(table) if schema == "main" else f"{schema!s}.{table!s}"
        found.setdefault(name, []).append(str(column))
    return found


class Views:
    """The views that are there now; they are made anew where the rights or the tables change."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.shown = ""

    def show(self, tables: Tables, allowed: Allowed | None) -> None:
        """Let names be found in the file, or where not all may be read in views of it."""
        if allowed is None:
            self.connection.use_file()
            return
        self.connection.raw.execute("USE memory.main")
        wanted = repr((allowed.to_json(), tables))
        if wanted != self.shown:
            self._drop()
            for table, columns in tables.items():
                chosen = [name for name in columns if allowed.column(table, name)]
                if chosen:
                    self._make(table, chosen)
            self.shown = wanted

    def _drop(self) -> None:
        for schema, view in self.connection.ask(
            "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal "
            "AND database_name = 'memory'"
        ):
            place = f"{quoted(str(schema), 'duckdb')}.{quoted(str(view), 'duckdb')}"
            self.connection.raw.execute(f"DROP VIEW memory.{place}")

    def _make(self, table: str, columns: Sequence[str]) -> None:
        run = self.connection.raw.execute
        place = table_identifier(table, "duckdb", always=True)
        source = place if "." in table else f"main.{place}"
        if "." in table:
            schema = quoted(table.partition(".")[0], "duckdb")
            run(f"CREATE SCHEMA IF NOT EXISTS memory.{schema}")
        names = ", ".join(quoted(name, "duckdb") for name in columns)
        file = quoted(self.connection.file, "duckdb")
        run(f"CREATE VIEW memory.{source} AS SELECT {names} FROM {file}.{source}")


def known_tables(
    tables: Tables, allowed: Allowed | None, file: str
) -> Callable[[tuple[str, ...]], bool]:
    """Whether the parts of a name are a table or view that may be read.

    Args:
        file: the name under which the file is attached, which may stand before the schema's.
    """
    names = {name.lower() for name in tables if allowed is None or allowed.table(name)}

    def is_table(path: tuple[str, ...]) -> bool:
        parts = [part.lower() for part in path]
        if allowed is None and len(parts) > 1 and parts[0] == file:
            parts = parts[1:]
        if len(parts) == 2 and parts[0] == "main":
            parts = parts[1:]
        return ".".join(parts) in names

    return is_table
