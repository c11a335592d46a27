"""What a query gave: a result, or the error that says in one sentence why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from luciola.errors import (
    DatabaseError,
    LuciolaError,
    MissingExtraError,
    SqlForbiddenError,
    SqlInvalidError,
    SqlMemoryError,
    SqlRowsError,
    SqlSizeError,
    SqlTimeoutError,
)
from luciola.sql.database.address import display_name
from luciola.sql.database.dialects import dialect_of
from luciola.sql.database.limits import MIB, Limits

Cell = int | float | str | bytes | None
Row = tuple[Cell, ...]


UNFINISHED = {
    "journal": "holds a change that was broken off, and must be taken back first",
    "log": "holds rows that are not in the file yet, and its index is missing or broken",
}


@dataclass(frozen=True)
class Result:
    """A query's rows.

    Args:
        columns: the result's column names, which need not differ.
        rows: in the order in which the database gave them.
        seconds: from the start of the query to its last row.
        truncated: whether there were more rows, and only the first were asked for.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    seconds: float
    truncated: bool = False


def failure(kind: str, detail: str, limits: Limits, database: str | Path) -> LuciolaError:
    """The error for a kind: forbidden, timeout, rows, size, memory; database (cannot be read),
    password (is wanted, and none was given),
    foreign or duckdb (is no SQLite file), driver (detail: package and extra); else invalid.
    """
    if kind == "forbidden":
        return SqlForbiddenError(f"only reading is allowed, and the query wants to {_wish(detail)}")
    if kind == "hidden":
        return SqlForbiddenError(
            "the query names a table or column that may not be read here, or that is not there",
            remedy=f"It may read {detail}.",
        )
    if kind == "timeout":
        return SqlTimeoutError(f"the query ran longer than {limits.timeout_s:g} s and was stopped")
    if kind == "rows":
        return SqlRowsError(f"the query returns more than {limits.max_rows:,} rows")
    if kind == "size":
        return SqlSizeError(f"the result is larger than {_size(limits.max_result_bytes)}")
    if kind == "memory":
        return SqlMemoryError(f"the query needs more than {_size(limits.max_memory_bytes)} memory")
    if kind == "name":
        return SqlInvalidError(detail)
    if kind == "database":
        return DatabaseError(f"{display_name(database)} cannot be read: {detail}")
    if kind == "password":
        where = dialect_of(database).passwords
        return DatabaseError(
            f"{display_name(database)} wants a password: {detail}",
            remedy=f"Write it into the URL, user:password@host, or give it in {where}.",
        )
    if kind in UNFINISHED:
        return DatabaseError(
            f"{display_name(database)} cannot be read without writing: {detail} {UNFINISHED[kind]}",
            remedy="Open it once with the program that owns it, or with sqlite3, and close it.",
        )
    if kind in ("foreign", "duckdb"):
        what = "Give a file made by SQLite; a CSV file must be imported into one first."
        if kind == "duckdb":
            what = f"A DuckDB file is named by a URL: duckdb:///{database}"
        return DatabaseError(f"{database} is not a SQLite database", remedy=what)
    if kind == "driver":
        package, extra = detail.split()
        return MissingExtraError(package, extra=extra, purpose=f"reading a {extra} database")
    return SqlInvalidError(f"the database does not accept the query: {detail}")


def _wish(detail: str) -> str:
    return "write" if "readonly" in detail else detail


def _size(count: int) -> str:
    return f"{count / MIB:,.0f} MiB" if count >= MIB else f"{count:,} bytes"
