"""ShareGPT: {"conversations": [{"from": "human", "value": …}, {"from": "gpt", …}, …]}, "system"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luciola.data.readers.messages import answered
from luciola.data.readers.record import Format, Record, is_objects
from luciola.types import Conversation, Message

ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "function": "tool",
    "function_response": "tool",
    "observation": "tool",
    "tool": "tool",
    "tool_response": "tool",
}


def fits(values: Mapping[str, Any]) -> bool:
    """Whether a row has a list of from and value."""
    return is_objects(values.get("conversations"), "from", "value")


def example(record: Record) -> Conversation:
    """The row as a conversation."""
    turns = record.objects("conversations")
    messages = tuple(_message(record, turn, f"conversations[{i}]") for i, turn in enumerate(turns))
    if messages[0].role != "system":
        messages = (*record.opening(), *messages)
    return answered(record, messages)


def _message(record: Record, turn: Mapping[str, Any], name: str) -> Message:
    role = record.checked(turn.get("from"), f"{name}.from")
    if role not in ROLES:
        raise record.error(
            f"{name}.from is {role!r}, which is no role", remedy=f"Roles are {', '.join(ROLES)}."
        )
    return Message(ROLES[role], record.filled(turn.get("value"), f"{name}.value"))


FORMAT = Format(
    name="sharegpt",
    shape='{"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}',
    fits=fits,
    example=example,
)
