"""Which format a file's rows are in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luciola.data.readers import (
    alpaca,
    completion,
    firefly,
    messages,
    preference,
    sharegpt,
    text,
)
from luciola.data.readers.record import Format, Record, keys
from luciola.errors import DataError

FORMATS = (
    preference.FORMAT,  # first: some of its rows would fit others too
    messages.FORMAT,
    sharegpt.FORMAT,
    firefly.FORMAT,
    completion.FORMAT,
    alpaca.FORMAT,
    text.FORMAT,
)


def find_format(values: Mapping[str, Any]) -> Format | None:
    """The first format that a row fits."""
    return next((form for form in FORMATS if form.fits(values)), None)


def recognise(record: Record) -> Format:
    """The format of a file that begins with this row.

    Raises: FormatError if it fits none; it says which keys were seen and which formats there are.
    """
    found = find_format(record.values)
    if found is None:
        shapes = "\n".join(f"      {f.name:24} {f.shape}" for f in FORMATS[1:])
        raise record.format_error(
            f"the rows are in no known format (keys: {keys(record.values)}); known are\n{shapes}",
            remedy="Rename the keys so that the rows look like one of these.",
        )
    return found


def departure(record: Record, form: Format) -> DataError:
    """The error for a row that does not fit the format that its file began with."""
    other = find_format(record.values)
    looks = f", which looks like {other.name}" if other else ""
    return record.error(
        f"the row departs from the file's format, {form.name}: its keys are "
        f"{keys(record.values)}{looks}",
        remedy=f"Rows of this file look like {form.shape}. Correct the row or take it out.",
    )
