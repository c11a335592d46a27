"""Firefly: {"conversation": [{"human": …, "assistant": …}, …]}, optional "system".

Texts are stripped and other keys (conversation_id, category) ignored, as Firefly does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from luciola.data.readers.record import Format, Record, is_objects
from luciola.types import Conversation, Message


def fits(values: Mapping[str, Any]) -> bool:
    """Whether a row has a list of human and assistant."""
    turns = values.get("conversation")
    return is_objects(turns, "human") or is_objects(turns, "assistant")


def example(record: Record) -> Conversation:
    """The row as a conversation."""
    system = record.optional("system").strip()
    opening = (Message("system", system),) if system else ()
    return Conversation((*opening, *_turns(record)), record.origin)


def _turns(record: Record) -> Iterator[Message]:
    for i, turn in enumerate(record.objects("conversation")):
        for key, role in (("human", "user"), ("assistant", "assistant")):
            name = f"conversation[{i}].{key}"
            if key not in turn:
                raise record.error(f"{name} is missing")
            yield Message(role, record.filled(turn[key], name).strip())


FORMAT = Format(
    name="firefly",
    shape='{"conversation": [{"human": "…", "assistant": "…"}]}',
    fits=fits,
    example=example,
)
