"""Why SQL failed, as a short kind that can be counted, whatever the database's own words are."""

from __future__ import annotations

import re
from typing import Literal

from luciola.errors import (
    DatabaseError,
    LuciolaError,
    SqlError,
    SqlForbiddenError,
    SqlInvalidError,
)

Failure = Literal["database", "table", "column", "write", "limit", "invalid"]
"""`database`: it cannot be read. `write`: more than reading. `limit`: of time, rows or size."""

TABLE = re.compile(
    r"no such table|relation \S+ does not exist|table \S+ (?:doesn't|does not) exist"
    r"|table with name \S+ does not exist|unknown table",
    re.IGNORECASE,
)
COLUMN = re.compile(
    r"no such column|column \S+ does not exist|unknown column|has no column"
    r"|referenced column \S+ not found|does not have a column",
    re.IGNORECASE,
)


def failure_of(error: LuciolaError) -> Failure:
    """The kind of an error that a sandbox raised.

    Tables and columns are told by the words of SQLite, PostgreSQL, MySQL and DuckDB; what another
    database says about them is `invalid`.
    """
    if isinstance(error, DatabaseError) or not isinstance(error, SqlError):
        return "database"
    if isinstance(error, SqlForbiddenError):
        return "write"
    if not isinstance(error, SqlInvalidError):
        return "limit"
    if TABLE.search(error.message):
        return "table"
    return "column" if COLUMN.search(error.message) else "invalid"
