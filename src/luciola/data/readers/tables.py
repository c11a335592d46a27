"""Rows of CSV, TSV and Parquet files.

A CSV file's first line names the columns; lists (messages, history) stand in it as JSON. Parquet
needs pyarrow, and its rows are counted from 1 in place of lines.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from luciola.data.readers.lines import decode, record
from luciola.data.readers.record import Record
from luciola.errors import DataError, MissingExtraError

LISTS = {"messages", "conversations", "conversation", "history", "chosen", "rejected"}
"""Columns whose cells are JSON where they look like a list."""


def csv_rows(path: Path) -> Iterator[Record | DataError]:
    """The rows of a CSV file (comma or semicolon) or TSV file; one with too few cells is an error.

    Raises: DataError if nothing can be read any more: not UTF-8 text, no column names, a quote left
    open.
    """
    csv.field_size_limit(sys.maxsize)
    text = decode(path.read_bytes(), path, 1)
    lines = csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for cells in lines:
            if header is None:
                header = _header(path, cells)
            elif cells:
                yield _row(path, line, header, cells)
            line = lines.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"not valid CSV: {error}",
            path=path,
            line=line,
            remedy='Text with line breaks or quotes must stand in quotes, and a quote in it as "".',
        ) from error


def parquet_rows(path: Path) -> Iterator[Record | DataError]:
    """The rows of a Parquet file.

    Raises: MissingExtraError without pyarrow; DataError if the file is no Parquet file.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "pyarrow", extra="parquet", purpose=f"Reading {path.name}"
        ) from error
    try:
        number = 0
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=1024):
            for values in batch.to_pylist():
                number += 1
                yield record(path, number, values)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"not a readable Parquet file: {error}", path=path) from error


def _delimiter(text: str) -> str:
    """Tab, semicolon or comma, whichever the first line has most of."""
    first = text[: text.find("\n")] if "\n" in text else text
    return max(",;\t", key=first.count)


def _header(path: Path, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if not all(names) or len(set(names)) < len(names):
        raise DataError(
            f"the first line must name every column once, got {', '.join(map(repr, names))}",
            path=path,
            line=1,
        )
    return names


def _row(path: Path, line: int, header: list[str], cells: list[str]) -> Record | DataError:
    if len(cells) != len(header):
        return DataError(
            f"the row has {len(cells)} cells and the first line names {len(header)} columns",
            path=path,
            line=line,
            remedy="Put cells that hold the separator or a line break in quotes.",
        )
    try:
        values = {name: _cell(name, cell) for name, cell in zip(header, cells, strict=True)}
    except json.JSONDecodeError as error:
        return DataError(f"a cell is not valid JSON: {error}", path=path, line=line)
    return record(path, line, values)


def _cell(name: str, cell: str) -> Any:
    is_list = name in LISTS and cell.lstrip()[:1] in ("[", "{")
    return json.loads(cell) if is_list else cell
