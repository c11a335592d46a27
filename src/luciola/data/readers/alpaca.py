"""Alpaca: {"instruction", "output"}, optional "input", "system", "history" [[ask, answer], …].

Instruction and input become one user turn, with a line break between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from luciola.data.readers.record import Format, Record, kind
from luciola.types import Conversation, Message


def fits(values: Mapping[str, Any]) -> bool:
    """Whether a row has an instruction and one output."""
    return "instruction" in values and "output" in values


def example(record: Record) -> Conversation:
    """The row as a conversation; earlier answers in `history` are trained too."""
    parts = [record.string("instruction"), record.optional("input")]
    question = "\n".join(part for part in parts if part.strip())
    messages = (
        *record.opening(),
        *_history(record),
        Message("user", question),
        Message("assistant", record.string("output")),
    )
    return Conversation(messages, record.origin)


def _history(record: Record) -> Iterator[Message]:
    turns = record.values.get("history") or []
    if not isinstance(turns, list):
        raise record.error(f"'history' must be a list of pairs, got {kind(turns)}")
    for i, turn in enumerate(turns):
        if not isinstance(turn, list) or len(turn) != 2:
            raise record.error(f"history[{i}] must be a pair of question and answer")
        yield Message("user", record.filled(turn[0], f"history[{i}][0]"))
        yield Message("assistant", record.filled(turn[1], f"history[{i}][1]"))


FORMAT = Format(
    name="alpaca",
    shape='{"instruction": "…", "input": "…", "output": "…"}',
    fits=fits,
    example=example,
)
