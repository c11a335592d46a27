"""Examples as messages JSONL, the format that every other trainer reads too."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from luciola.errors import DataError
from luciola.runs.outputs import Output, check_output
from luciola.types import Completion, Conversation, Example, Message


def to_messages(example: Example) -> dict[str, Any]:
    """A row `{"messages": […]}`; a completion becomes one question and one answer.

    Raises: DataError for plain text, which has no turns.
    """
    if isinstance(example, Conversation):
        return {"messages": [_turn(message) for message in example.messages]}
    if isinstance(example, Completion):
        turns = (Message("user", example.prompt), Message("assistant", example.completion))
        return {"messages": [_turn(message) for message in turns]}
    raise DataError(
        "plain text has no turns and cannot become messages",
        path=example.origin.path,
        line=example.origin.line,
        remedy="Train on the file as it is.",
    )


def write_messages(examples: Iterable[Example], out: Output | str | Path) -> int:
    """Write a row per example, all or nothing; returns their number.

    Args:
        out: a path, where no file may be yet, or an output that was checked.

    Raises: StorageError if the file cannot be written; ConfigError if it is there already;
        DataError as `to_messages` does.
    """
    output = out if isinstance(out, Output) else check_output(out)
    rows = 0
    with output.opened() as file:
        for example in examples:
            file.write(json.dumps(to_messages(example), ensure_ascii=False) + "\n")
            rows += 1
    return rows


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    return turn if message.trained is None else {**turn, "trained": message.trained}
