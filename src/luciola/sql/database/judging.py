"""The sandbox in which gold queries and answers are judged: wider than that of a user's question.

A result that is only compared may be large. What holds all the same: no process takes more than
1 GB for one statement, neither the worker nor the one that compares (measured in
`tests/sql/database/test_memory.py`).
"""

from __future__ import annotations

from luciola.sql.database.limits import MIB
from luciola.sql.database.sandbox import Sandbox

MAX_ROWS = 1_000_000
MAX_RESULT_BYTES = 12 * MIB
MAX_MEMORY_BYTES = 768 * MIB


def judging_sandbox(*, timeout_s: float, workers: int, first_row: bool = False) -> Sandbox:
    """A sandbox with these limits; `first_row` as in `Sandbox`."""
    return Sandbox(
        timeout_s=timeout_s,
        workers=workers,
        max_rows=MAX_ROWS,
        max_result_bytes=MAX_RESULT_BYTES,
        max_memory_bytes=MAX_MEMORY_BYTES,
        first_row=first_row,
    )
