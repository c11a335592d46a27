"""A DuckDB file, attached read-only to an empty database in memory, with everything outside off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

try:
    import duckdb
except ImportError:  # told where a session is opened
    duckdb = None  # type: ignore[assignment]

from luciola.sql.database.duckdb.watchdog import Watchdog
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.result import Cell
from luciola.sql.database.session import UNKNOWN, RefusedError, Rows
from luciola.sql.identifier import quoted

IS_INSTALLED = duckdb is not None
RESERVED = ("memory", "temp", "system", "main", "information_schema", "pg_catalog")
NO_MEMORY = (
    "Out of Memory",
    "could not allocate",
    "failed to allocate",
    "std::bad_alloc",
    "failed to pin",
)
NOT_FOUND = ("Referenced column", "Referenced table", "does not have a column")
SAFE = {
    "threads": "1",
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}


class Connection:
    """One connection; `raw` is the driver's, and `file` the name under which the file is attached.

    Args:
        path: of the file.

    Raises: RefusedError where it is no DuckDB file, or cannot be opened.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        with path.open("rb") as opened:
            start = opened.read(12)
        if start[8:12] != b"DUCK":
            raise RefusedError("database", "it is not a DuckDB database")
        name = path.stem.lower()
        self.file = name if name not in RESERVED else "database"
        memory = max(64, limits.max_memory_bytes * 3 // 5 // MIB)
        try:
            self.raw = duckdb.connect(":memory:", config={**SAFE, "memory_limit": f"{memory}MiB"})
            place = str(path).replace("'", "''")
            self.raw.execute(f"ATTACH '{place}' AS {quoted(self.file, 'duckdb')} (READ_ONLY)")
            self.raw.execute("SET enable_external_access = false")
            self.raw.execute("SET lock_configuration = true")
        except duckdb.Error as error:
            raise RefusedError("database", _first_line(error)) from None
        self._watchdog = Watchdog(self.raw.interrupt)

    def ask(self, sql: str, parameters: Sequence[Cell] = ()) -> list[list[Cell]]:
        """The rows of a query of our own. Raises: RefusedError."""
        return [list(row) for row in self.table(sql, parameters).rows]

    def table(self, sql: str, parameters: Sequence[Cell] = ()) -> Rows:
        """The same with the names of the columns."""
        with _own_errors():
            cursor = self.raw.execute(sql, list(parameters))
            names = [column[0] for column in cursor.description or ()]
            return Rows(names, [[cell(value) for value in row] for row in cursor.fetchall()])

    def use_file(self) -> None:
        """Let bare names be found in the file."""
        self.raw.execute(f"USE {quoted(self.file, 'duckdb')}.main")

    @contextlib.contextmanager
    def limited(self, limits: Limits) -> Iterator[None]:
        """Interrupted at the limit; DuckDB's errors become ours. Raises: RefusedError."""
        self._watchdog.start(limits.timeout_s)
        try:
            with _own_errors():
                yield
        except RefusedError:
            if self._watchdog.stop():
                raise RefusedError("timeout") from None
            raise
        finally:
            self._watchdog.stop()

    def close(self) -> None:
        """Close the file."""
        self.raw.close()


def cell(value: Any) -> Cell:
    """A value as Python has it; dates, lists and everything else as text."""
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    if isinstance(value, Decimal):
        is_whole = value == value.to_integral_value() and value.as_tuple().exponent == 0
        return int(value) if is_whole else float(value)
    return bytes(value) if isinstance(value, bytearray | memoryview) else str(value)


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    try:
        yield
    except duckdb.InterruptException:
        raise RefusedError("timeout") from None
    except duckdb.Error as error:
        text = _first_line(error)
        is_memory = any(phrase in text for phrase in NO_MEMORY)
        if is_memory or isinstance(error, duckdb.OutOfMemoryException):
            raise RefusedError("memory") from None
        if isinstance(error, duckdb.BinderException) and any(word in text for word in NOT_FOUND):
            raise RefusedError(UNKNOWN, text) from None
        is_refused = isinstance(error, duckdb.PermissionException) or "read-only" in text
        raise RefusedError("forbidden" if is_refused else "invalid", text) from None
    except (ValueError, OverflowError) as error:  # a date that Python does not have
        raise RefusedError("invalid", str(error)) from None


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ")
