"""A prepared query run within limits of time, memory and rows, which are read as they come."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Iterator
from typing import Any

try:
    from psycopg import OperationalError, pq
except ImportError:  # told where a session is opened
    pq = None  # type: ignore[assignment]

from luciola.sql.database.backend import ServerMemory
from luciola.sql.database.bounds import Bounds
from luciola.sql.database.limits import Limits
from luciola.sql.database.postgresql.cells import column_names, row
from luciola.sql.database.postgresql.connection import PREPARED
from luciola.sql.database.postgresql.failures import checked, first_line
from luciola.sql.database.session import RefusedError, Rows

WATCH_S = 0.02
"""How often the server's memory is looked at while the query runs."""


def run_prepared(
    raw: Any, memory: ServerMemory, limits: Limits, *, deadline: float, truncate: bool
) -> Rows:
    """The rows of the query that was prepared; where they are not all read, it is cancelled.

    Args:
        raw: the driver's connection.
        memory: of the server's process that answers it.
        deadline: on the monotonic clock.

    Raises: RefusedError.
    """
    bounds = Bounds(limits, truncate)
    raw.send_query_prepared(PREPARED, [])
    raw.set_single_row_mode()
    columns: list[str] = []
    complete = False
    try:
        for result in _results(raw, memory, limits, deadline):
            checked(result)
            columns = columns or column_names(result)
            for index in range(result.ntuples):
                if not bounds.add(row(result, index)):
                    return Rows(columns, bounds.rows, True)
        complete = True
    finally:
        if not complete:
            _cancel(raw)
    return Rows(columns, bounds.rows, False)


def _results(raw: Any, memory: ServerMemory, limits: Limits, deadline: float) -> Iterator[Any]:
    """The rows as they come, each a result of its own."""
    raw.nonblocking = 0
    while True:
        while raw.is_busy():
            left = deadline - time.monotonic()
            if left <= 0:
                raise RefusedError("timeout")
            if memory.used() > limits.max_memory_bytes:
                raise RefusedError("memory")
            if select.select([raw.socket], [], [], min(left, WATCH_S))[0]:
                _consume(raw)
        result = raw.get_result()
        if result is None:
            return
        yield result
        if time.monotonic() > deadline:
            raise RefusedError("timeout")


def _consume(raw: Any) -> None:
    try:
        raw.consume_input()
    except OperationalError as error:
        kind = "size" if "memory" in str(error) else "database"
        raise RefusedError(kind, f"the connection was lost: {first_line(str(error))}") from None


def _cancel(raw: Any) -> None:
    """Stop the query on the server, and give the connection up: rows may be under way."""
    if raw.status == pq.ConnStatus.OK:
        with contextlib.suppress(OperationalError):
            raw.get_cancel().cancel()
    raw.finish()
