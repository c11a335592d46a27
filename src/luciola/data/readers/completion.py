"""TRL's prompt/completion: two texts, or two lists of messages.

Two texts are a raw completion, rendered without a chat template. Two lists are a conversation in
which only the completion's answers are trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from luciola.data.readers.messages import answered, parse_messages
from luciola.data.readers.record import Format, Record, kind
from luciola.types import Completion, Conversation


def fits(values: Mapping[str, Any]) -> bool:
    """Whether a row has a prompt and a completion."""
    return "prompt" in values and "completion" in values


def example(record: Record) -> Completion | Conversation:
    """The row as a completion (texts) or a conversation (lists of messages)."""
    prompt, completion = record.values.get("prompt"), record.values.get("completion")
    if isinstance(prompt, list) and isinstance(completion, list):
        return _conversation(record)
    if isinstance(prompt, list) or isinstance(completion, list):
        raise record.error(
            "prompt and completion must both be texts or both be lists of messages, got "
            f"{kind(prompt)} and {kind(completion)}"
        )
    return Completion(record.optional("prompt"), record.string("completion"), record.origin)


def _conversation(record: Record) -> Conversation:
    prompt = parse_messages(record, record.objects("prompt"), "prompt")
    completion = parse_messages(record, record.objects("completion"), "completion")
    history = tuple(replace(message, trained=False) for message in prompt)
    return answered(record, (*history, *completion))


FORMAT = Format(
    name="prompt/completion (TRL)",
    shape='{"prompt": "…", "completion": "…"}, or two lists of messages',
    fits=fits,
    example=example,
)
