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
from luciola.data.readers.dropped import CALL_KEYS, MEDIA_KEYS, THOUGHT_KEYS
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
    content = text_of(record, turn, name)
    if role in ("user", "assistant") and not content.strip():
        raise record.error(f"{name} has an empty content (its role: {role})")
    return Message(role, content, _trained(record, turn, name))


def text_of(record: Record, turn: Mapping[str, Any], name: str) -> str:
    """A turn's content: a text, or a list of text parts, which are joined.

    Raises: UnsupportedError for a part that is no text, or a turn that only calls a tool, thinks or
        shows something.
    """
    content = turn.get("content")
    if content is None or content in ("", []):
        _check_speaks(record, turn, name)
    if not isinstance(content, list):
        return record.checked(content, f"{name}.content")
    for part in content:
        if not isinstance(part, dict) or part.get("type", "text") != "text":
            found = part.get("type") if isinstance(part, dict) else kind(part)
            raise record.unsupported(
                f"{name}.content has a part that is no text: {found}",
                remedy="Write it as text, or remove the row.",
            )
    return "".join(record.checked(part.get("text"), f"{name}.content") for part in content)


def _check_speaks(record: Record, turn: Mapping[str, Any], name: str) -> None:
    """Raises: UnsupportedError for a turn without text that does something else."""
    for keys, does in ((CALL_KEYS, "calls tools"), (THOUGHT_KEYS, "thinks"), (MEDIA_KEYS, "shows")):
        if any(turn.get(key) for key in keys):
            raise record.unsupported(
                f"{name} {does} and says nothing; only text is trained",
                remedy="Write it into the content as text, or remove the row.",
            )


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
