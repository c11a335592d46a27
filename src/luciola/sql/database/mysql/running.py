"""A query run within limits: its rows as they come; where they are not all read, it is killed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from luciola.sql.database.bounds import Bounds
from luciola.sql.database.limits import Limits
from luciola.sql.database.mysql.connection import CONNECT_S, Connection
from luciola.sql.database.mysql.failures import own_errors
from luciola.sql.database.result import Cell
from luciola.sql.database.session import UNKNOWN, RefusedError, Rows

LATE_S = 0.3
"""How much later than the server's own limit the connection gives up waiting."""
BIT = 16


def run_limited(connection: Connection, sql: str, limits: Limits, truncate: bool) -> Rows:
    """The rows of a query that the guard let pass. Raises: RefusedError."""
    bounds = Bounds(limits, truncate)
    deadline = time.monotonic() + limits.timeout_s
    connection.begin(limits)
    raw = connection.raw
    raw._read_timeout = limits.timeout_s + LATE_S
    complete = False
    cursor = connection.streaming()
    try:
        with own_errors():
            cursor.execute(sql)
            if cursor.description is None:
                raise RefusedError("invalid", "it holds no query")
            columns = [column[0] for column in cursor.description]
            kinds = [column[1] for column in cursor.description]
            for row in iter(cursor.fetchone, None):
                if not bounds.add(_row(row, kinds)):
                    return Rows(columns, bounds.rows, True)
                if time.monotonic() > deadline:
                    raise RefusedError("timeout")
        complete = True
        return Rows(columns, bounds.rows, False)
    except RefusedError as error:
        complete = error.kind in ("invalid", "forbidden", UNKNOWN) and raw.open
        raise
    finally:
        raw._read_timeout = CONNECT_S
        if complete:
            connection.end()
        else:
            connection.kill()
            _abandon(cursor)


def _row(row: Sequence[Any], kinds: Sequence[int]) -> list[Cell]:
    """BIT columns as numbers; the driver's texts and bytes as they are."""
    return [
        int.from_bytes(cell, "big") if kind == BIT and cell is not None else cell
        for cell, kind in zip(row, kinds, strict=True)
    ]


def _abandon(cursor: Any) -> None:
    """Keep the driver from reading the rest of a result whose connection is gone."""
    if cursor._result is not None:
        cursor._result.unbuffered_active = False
        cursor._result.connection = None
    cursor.connection = None
