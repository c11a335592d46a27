"""Rows of a data set on the Hugging Face hub: hub:NAME, or hub:NAME:SPLIT (train if not said)."""

from __future__ import annotations

from collections.abc import Iterator

from luciola.data.readers.lines import record
from luciola.data.readers.record import Record
from luciola.errors import DataError, MissingExtraError

SCHEME = "hub:"


def hub_rows(source: str) -> Iterator[Record | DataError]:
    """The rows of `hub:NAME[:SPLIT]`, counted from 1.

    Raises: MissingExtraError without the package datasets; DataError if the data set cannot be had.
    """
    name, _, split = source.removeprefix(SCHEME).partition(":")
    if not name:
        raise DataError(f"{source!r} names no data set", remedy="Write hub:NAME or hub:NAME:SPLIT.")
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise MissingExtraError("datasets", extra="hub", purpose=f"Reading {source}") from error
    try:
        rows = load_dataset(name, split=split or "train")
    except Exception as error:  # what the hub client raises is not documented
        said = str(error).strip() or type(error).__name__
        raise DataError(
            f"the data set cannot be had: {said.splitlines()[0]}",
            path=source,
            remedy="Check the name, the split and the network, or name a local file.",
        ) from error
    for number, values in enumerate(rows, start=1):
        yield record(source, number, values)
