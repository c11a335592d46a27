"""A query's result as a table of text, for a terminal without colours or a log.

    city      count
    --------  -----
    Lyon          2
    New York      1

A table that is wider than the terminal is shown row by row instead, each column on a line.
Wide characters (Chinese, Japanese, Korean) count as two columns of the terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from luciola.sql.database.result import Cell, Result

GAP = "  "
RECORD_LINES = 40
"""Lines of a result that is shown row by row."""


def table_text(
    result: Result, *, max_rows: int = 20, max_width: int = 40, terminal: int | None = None
) -> str:
    """The first rows with their column names; numbers stand to the right.

    Args:
        max_rows: rows that are shown; a line says how many more there are.
        max_width: characters of a cell; a longer one is cut and ends in `…`.
        terminal: characters of a line, beyond which rows are shown one below the other; None: any.
    """
    shown = result.rows[:max_rows]
    cells = [[cell_text(cell, max_width) for cell in row] for row in shown]
    names = [shortened(one_line(name[: 4 * max_width + 4]), max_width) for name in result.columns]
    widths = [max(map(display_width, column)) for column in zip(names, *cells, strict=True)]
    if terminal and shown and sum(widths) + len(GAP) * (len(widths) - 1) > terminal:
        return _records(result, names, cells, terminal)
    right = [_is_numeric(column) for column in zip(*shown, strict=True)] or [False] * len(names)
    lines = [
        _line(row, widths, right) for row in (names, ["-" * width for width in widths], *cells)
    ]
    return "\n".join([*_fitted(lines, terminal), *_rest(result, len(shown))])


def _fitted(lines: Sequence[str], terminal: int | None) -> list[str]:
    """Lines that are still too long, of many columns without rows or in a narrow window, cut."""
    return [shortened(line, terminal) if terminal else line for line in lines]


def _records(
    result: Result, names: Sequence[str], cells: Sequence[Sequence[str]], terminal: int
) -> str:
    """Each column of the first rows on a line of its own."""
    width = max(map(display_width, names))
    lines: list[str] = []
    rows = cells[: max(1, RECORD_LINES // (len(names) + 1))]
    for number, row in enumerate(rows, 1):
        lines.append(f"row {number}")
        for name, cell in zip(names, row, strict=True):
            lines.append(f"{GAP}{padded(name, width)}{GAP}{cell}".rstrip())
    return "\n".join([*_fitted(lines, terminal), *_rest(result, len(rows))])


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    found = (
        padded(cell, width, to_right=to_right)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    )
    return GAP.join(found).rstrip()


def _rest(result: Result, shown: int) -> list[str]:
    if not result.rows:
        return ["(no rows)"]
    hidden = len(result.rows) - shown
    if result.truncated:
        return [f"… and at least {hidden + 1:,} more rows"]
    return [f"… and {hidden:,} more row{'s' * (hidden != 1)}"] if hidden else []


def padded(text: str, width: int, *, to_right: bool = False) -> str:
    """The text with blanks up to a width on the terminal, behind it or before it."""
    blanks = " " * (width - display_width(text))
    return blanks + text if to_right else text + blanks


def cell_text(cell: Cell, max_width: int) -> str:
    """A value in one line of at most so many characters, without commands to the terminal."""
    if cell is None:
        return "NULL"
    if isinstance(cell, bytes):
        return shortened("x'" + cell[: max_width + 1].hex() + "'", max_width)
    return shortened(one_line(str(cell)[: 4 * max_width + 4]), max_width)


def one_line(text: str) -> str:
    """`text` without line breaks and control characters, which could steer a terminal."""
    return "".join(" " if unicodedata.category(mark)[0] == "C" else mark for mark in text)


def shortened(text: str, max_width: int) -> str:
    """The text, or its beginning and `…` where it takes more columns of the terminal."""
    if display_width(text) <= max_width:
        return text
    while text and display_width(text) > max_width - 1:
        text = text[: max_width - 1] if len(text) >= max_width else text[:-1]
    return text + "…"


def display_width(text: str) -> int:
    """Columns of the terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(mark) else 1 + (unicodedata.east_asian_width(mark) in "WF")
        for mark in text
    )


def _is_numeric(column: Sequence[Cell]) -> bool:
    filled = [cell for cell in column if cell is not None]
    return bool(filled) and all(isinstance(cell, int | float) for cell in filled)
