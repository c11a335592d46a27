"""Prompts to answer: read, rendered to tokens, with what their rows say besides."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from luciola.conversation.render import Renderer
from luciola.data.cutting import check_cut
from luciola.data.readers.dropped import Counter
from luciola.data.readers.lines import read_text
from luciola.data.readers.messages import text_of
from luciola.data.readers.record import Record, UnsupportedError
from luciola.data.readers.source import rows_of_file
from luciola.errors import DataError
from luciola.fingerprints import fingerprint as digest_of
from luciola.plugins import load_object, names_object
from luciola.types import Message, Origin

log = logging.getLogger(__name__)

Format = Literal["auto", "chat", "text"]


@dataclass(frozen=True)
class Prompt:
    """One prompt.

    Args:
        ids: its tokens, after which the model answers.
        text: as a person wrote it; of a conversation its last turn.
        messages: the conversation, where it is one.
        metadata: the other columns of its row, which a reward may look at.
    """

    ids: tuple[int, ...]
    text: str
    messages: tuple[Message, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prompts:
    """The prompts of a run, and how many were too long to be used."""

    usable: tuple[Prompt, ...]
    too_long: int

    def __len__(self) -> int:
        return len(self.usable)

    def fingerprint(self) -> str:
        """Of tokens, texts and the other columns of the rows, which a reward may read."""
        rows = [(one.ids, one.text, one.metadata) for one in self.usable]
        return digest_of(rows).digest


def read_prompts(
    source: Any, renderer: Renderer, *, format: Format, longest: int, max_cut: float = 1.0
) -> Prompts:
    """Prompts from a file, a plugin function, or a sequence of texts and rows.

    Rows with a turn that is no text are left out with a notice.

    A row has "prompt" (a text or a list of messages), or a conversation whose last answers are left
    out, or "text". Longer prompts than `longest` tokens are left out and counted.

    Args:
        max_cut: share of the prompts that may be too long.

    Raises: DataError naming file and line of a row that is no prompt, or if none is left, or more
        than `max_cut` are too long.
    """
    rows = list(_rows(source))
    if not rows:
        raise DataError("there are no prompts", path=str(source) if _is_name(source) else "")
    prompts = []
    seen = Counter()
    for row, origin in rows:
        seen.see(_asked(row), origin)
        try:
            prompts.append(_prompt(row, origin, renderer, format))
        except UnsupportedError as error:
            seen.leave_out(error)
    name = str(source) if _is_name(source) else "prompts"
    seen.check_some_left(name, len(prompts))
    for found in seen.found():
        log.warning("%s: %s", name, found)
    usable = tuple(prompt for prompt in prompts if len(prompt.ids) <= longest)
    if not usable:
        shortest = min(len(prompt.ids) for prompt in prompts)
        raise DataError(
            f"every prompt is longer than the {longest} tokens that max_length leaves; "
            f"the shortest has {shortest}",
            remedy="Raise max_length, or lower max_new_tokens.",
        )
    check_cut(
        len(prompts) - len(usable),
        len(prompts),
        max_cut,
        what="prompt",
        limit=longest,
        needed=max(len(prompt.ids) for prompt in prompts),
        left_out=True,
        path=str(source) if _is_name(source) else None,
    )
    return Prompts(usable, len(prompts) - len(usable))


def fingerprint(prompts: Sequence[Prompt]) -> str:
    """A hash of the prompts' tokens, to notice that they changed under a run."""
    digest = blake2b(str(len(prompts)).encode(), digest_size=8)
    for prompt in prompts:
        digest.update(f"{prompt.ids}".encode())
    return digest.hexdigest()


def _is_name(source: Any) -> bool:
    return isinstance(source, str | Path)


def _rows(source: Any) -> Iterable[tuple[Any, Origin]]:
    """Rows with their places."""
    if not _is_name(source):
        return [(row, Origin("prompts", index + 1)) for index, row in enumerate(source)]
    name = str(source)
    if names_object(name):
        made = load_object(name)
        found = made() if callable(made) else made
        return [(row, Origin(name, index + 1)) for index, row in enumerate(found)]
    if name.endswith(".txt"):
        lines = _text_lines(Path(name))
        return [(line, Origin(name, n)) for n, line in lines if line.strip()]
    return ((dict(record.values), record.origin) for record in rows_of_file(name))


def _text_lines(path: Path) -> list[tuple[int, str]]:
    return list(enumerate(read_text(path).split("\n"), 1))


def _prompt(row: Any, origin: Origin, renderer: Renderer, format: Format) -> Prompt:
    if isinstance(row, str):
        row = {"prompt": row}
    if not isinstance(row, Mapping):
        raise _error(origin, f"a prompt is a text or an object, got {type(row).__name__}")
    key = next((k for k in ("prompt", "messages", "conversation", "text") if k in row), "")
    if not key:
        raise _error(origin, f"the row has no prompt (its keys: {', '.join(row) or 'none'})")
    metadata = {k: v for k, v in row.items() if k != key}
    value = row[key]
    if isinstance(value, str):
        chat = format == "chat" or (format == "auto" and bool(renderer.tokenizer.chat_template))
        if not chat or key == "text":
            ids = renderer.text_prompt_ids(value)
            if not ids:
                raise _error(origin, "the prompt is empty, and this tokenizer begins with nothing")
            return Prompt(tuple(ids), value, metadata=metadata)
        messages: tuple[Message, ...] = (Message("user", value),)
    else:
        messages = _messages(value, origin)
    return Prompt(tuple(renderer.prompt_ids(messages)), messages[-1].content, messages, metadata)


def _messages(value: Any, origin: Origin) -> tuple[Message, ...]:
    """The conversation up to its last turn that is not the assistant's."""
    if not isinstance(value, Sequence):
        raise _error(origin, f"a prompt is a text or a list of messages, got {value!r:.60}")
    turns = list(value)
    if not all(isinstance(turn, Mapping) for turn in turns):
        raise _error(origin, 'each message needs "role" and "content"')
    while turns and turns[-1].get("role") == "assistant":
        turns.pop()
    if not turns:
        raise _error(origin, "the conversation has no turn to answer")
    return tuple(_message(turn, f"message {n}", origin) for n, turn in enumerate(turns, 1))


def _message(turn: Mapping[str, Any], name: str, origin: Origin) -> Message:
    content = text_of(Record(turn, origin), turn, name) if "content" in turn else None
    if content is None:
        raise _error(origin, 'each message needs "role" and "content"')
    return Message(str(turn.get("role", "user")), content)


def _asked(row: Any) -> Any:
    """Of a row that is a conversation, what is before its last answers."""
    if not isinstance(row, Mapping):
        return {"prompt": row} if isinstance(row, str) else row
    asked = {key: row[key] for key in ("prompt", "messages", "conversation", "text") if key in row}
    for key, value in asked.items():
        if isinstance(value, list):
            turns = list(value)
            while turns and isinstance(turns[-1], Mapping) and turns[-1].get("role") == "assistant":
                turns.pop()
            asked[key] = turns
    return asked


def _error(origin: Origin, message: str) -> DataError:
    return DataError(message, path=origin.path, line=origin.line)
