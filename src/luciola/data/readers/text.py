"""Plain text for pre-training: {"text": …}; other keys are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luciola.data.readers.record import Format, Record
from luciola.types import Text


def fits(values: Mapping[str, Any]) -> bool:
    """Whether a row has a text."""
    return isinstance(values.get("text"), str)


def example(record: Record) -> Text:
    """The row as a text."""
    return Text(record.string("text"), record.origin)


FORMAT = Format(name="plain text", shape='{"text": "…"}', fits=fits, example=example)
