"""Values as PostgreSQL sends them, in text form, and as Python has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from luciola.sql.database.result import Cell

BOOL, BYTEA, NUMERIC = 16, 17, 1700
NUMBERS = {20: int, 21: int, 23: int, 26: int, 700: float, 701: float}
"""int8, int2, int4, oid, float4, float8, by the object id of their types."""


def row(result: Any, index: int) -> list[Cell]:
    """One row of a result."""
    return [
        _cell(result.get_value(index, column), result.ftype(column))
        for column in range(result.nfields)
    ]


def rows(result: Any) -> list[list[Cell]]:
    """All rows of a result."""
    return [row(result, index) for index in range(result.ntuples)]


def column_names(result: Any) -> list[str]:
    """The names of a result's columns."""
    return [
        (result.fname(index) or b"").decode("utf-8", "replace") for index in range(result.nfields)
    ]


def sent(parameters: Sequence[Cell]) -> list[bytes | None] | None:
    """Parameters of a query of our own, as the driver takes them."""
    found = [None if item is None else str(item).encode() for item in parameters]
    return found or None


def _cell(value: bytes | None, kind: int) -> Cell:
    """As Python has it: numbers, bool, bytes; dates and everything else as the server writes it."""
    if value is None:
        return None
    if kind == BYTEA:
        return bytes.fromhex(value[2:].decode())
    text = value.decode("utf-8", "replace")
    if kind == BOOL:
        return text == "t"
    if kind == NUMERIC:
        return float(text) if "." in text or not text.lstrip("-").isdigit() else int(text)
    return NUMBERS[kind](text) if kind in NUMBERS else text
