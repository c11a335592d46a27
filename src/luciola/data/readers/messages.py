"""OpenAI-style messages: {"messages": [{"role": …, "content": …}, …]}.

Other keys, such as tools, are ignored. The list may also be called `conversations` or
`conversation`. A message's `trained` (true or false) or `weight` (1 or 0, as in OpenAI's
fine-tuning files) says whether it is trained; without, assistant turns are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from luciola.conversation.turns import is_trained
from luciola.data.readers.record import ROLES, Format, Record, is_objects, kind
from luciola.types import Conversation, Message

KEYS = ("messages", "conversations", "conversation")


def fits(values: Mapping[str, Any]) -> bool:
    """Whether a row has a list of messages, or one of role and content under another name."""
    if isinstance(values.get("messages"), list):
        return True
    return any(is_objects(values.get(key), "role") for key in KEYS)


def example(record: Record) -> Conversation:
    """The row as a conversation."""
    key = next((key for key in KEYS if key in record.values), KEYS[0])
    messages = parse_messages(record, record.objects(key), key)
    if messages[0].role != "system":
        messages = (*record.opening(), *messages)
    return answered(record, messages)


def parse_messages(
    record: Record, turns: Sequence[Mapping[str, Any]], key: str
) -> tuple[Message, ...]:
    """Role and content of each turn, checked; blank system messages are dropped."""
    messages = (
        _message(record, turn, f"{key}[{i}]") for i, turn in enumerate(turns)
    )  # counted from 0, as a program would
    kept = tuple(m for m in messages if m.role != "system" or m.content.strip())
    if not kept:
        raise record.error(f"{key!r} has no turn but a blank system message")
    return kept


def answered(record: Record, messages: tuple[Message, ...]) -> Conversation:
    """The messages as a conversation, which must have an assistant turn after another turn."""
    roles = ", ".join(message.role for message in messages)
    if not any(message.role == "assistant" for message in messages[1:]):
        raise record.error(
            f"the conversation has no assistant turn after another turn (its roles: {roles})",
            remedy="Add the answer, or remove the row.",
        )
    if not any(is_trained(message) for message in messages[1:]):
        raise record.error("the conversation has no turn that is trained: all are marked as not")
    return Conversation(messages, record.origin)


def _message(record: Record, turn: Mapping[str, Any], name: str) -> Message:
    role = record.checked(turn.get("role"), f"{name}.role")
    if role not in ROLES:
        near = get_close_matches(role, ROLES, n=1)
        raise record.error(
            f"{name}.role is {role!r}, which is no role",
            remedy=f"Did you mean {near[0]!r}?" if near else f"Roles are {', '.join(ROLES)}.",
        )
    content = _content(record, turn, name)
    if role in ("user", "assistant") and not content.strip():
        raise record.error(f"{name} has an empty content (its role: {role})")
    return Message(role, content, _trained(record, turn, name))


def _content(record: Record, turn: Mapping[str, Any], name: str) -> str:
    """The content: a text, or a list of text parts, which are joined."""
    content = turn.get("content")
    if content is None and turn.get("tool_calls"):
        raise record.error(
            f"{name} calls tools and says nothing; tool calls are not trained",
            remedy="Write the call into the content as text, or remove the row.",
        )
    if not isinstance(content, list):
        return record.checked(content, f"{name}.content")
    for part in content:
        if not isinstance(part, dict) or part.get("type", "text") != "text":
            found = part.get("type") if isinstance(part, dict) else kind(part)
            raise record.error(f"{name}.content has a part that is no text: {found}")
    return "".join(record.checked(part.get("text"), f"{name}.content") for part in content)


def _trained(record: Record, turn: Mapping[str, Any], name: str) -> bool | None:
    for key in ("trained", "weight"):
        value = turn.get(key)
        if value in (0, 1):
            return bool(value)
        if value is not None:
            raise record.error(f"{name}.{key} must be true, false, 1 or 0, got {value!r}")
    return None


FORMAT = Format(
    name="messages (OpenAI)",
    shape='{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}',
    fits=fits,
    example=example,
)
