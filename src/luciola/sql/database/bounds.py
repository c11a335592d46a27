"""Rows counted as they arrive, and a driver's reason made into one sentence."""

from __future__ import annotations

from luciola.sql.database.limits import Limits
from luciola.sql.database.result import Cell
from luciola.sql.database.session import RefusedError


def counted_bytes(cell: object) -> int:
    """What a cell counts of a result's limit: its length, and at least 8, since all take memory."""
    return max(8, len(cell)) if isinstance(cell, str | bytes) else 8


class Bounds:
    """The rows so far, within the limits of rows and bytes."""

    def __init__(self, limits: Limits, truncate: bool) -> None:
        self.limits = limits
        self.truncate = truncate
        self.left = limits.max_result_bytes
        self.rows: list[list[Cell]] = []

    def add(self, row: list[Cell]) -> bool:
        """Keep the row; False where it was one too many and only the first are wanted.

        Raises: RefusedError for too many rows or bytes.
        """
        if len(self.rows) == self.limits.max_rows:
            if self.truncate:
                return False
            raise RefusedError("rows")
        self.left -= sum(map(counted_bytes, row))
        if self.left < 0:
            raise RefusedError("size")
        self.rows.append(row)
        return True


def connect_reason(text: str, password: str) -> str:
    """The last line of a driver's explanation, which says why, without the password."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    reason = next(
        (line for line in lines if "failed:" in line or "FATAL" in line),
        lines[-1] if lines else "no reason given",
    )
    if len(password) > 2:
        reason = reason.replace(password, "***")
    return reason.rstrip(". ")
