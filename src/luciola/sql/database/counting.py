"""Row counts of all tables within one budget of time: what takes too long stays unknown."""

from __future__ import annotations

import time
from collections.abc import Callable

from luciola.sql.database.limits import Limits
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError


class Counter:
    """Counts one table after the other; each count and all of them together have the time limit."""

    def __init__(self, ask: Callable[..., list[list[Cell]]], limits: Limits | None) -> None:
        self.ask = ask
        self.deadline = 0.0 if limits is None else time.monotonic() + limits.timeout_s

    def __call__(self, table: str) -> int | None:
        """The rows of `table`, a name as SQL writes it; None where that is not known in time."""
        if time.monotonic() > self.deadline:
            return None
        try:
            return int(self.ask(f"SELECT count(*) FROM {table}")[0][0])  # type: ignore[arg-type]
        except RefusedError as error:
            if error.kind == "database":
                raise
            return None
