"""What rows hold that is not trained as what it is: tool calls, thoughts, images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from luciola.data.readers.record import UnsupportedError
from luciola.errors import DataError
from luciola.types import Origin

TOOLS = "tool calls or tool results"
THOUGHTS = "thoughts"
IMAGES = "images or other media"
ALONE = "a turn without text, or with an image in it"
HAPPENS = {
    TOOLS: "calls beside a text are left out, and those within one are read as plain text",
    THOUGHTS: "reasoning_content is left out, and <think> is trained as plain text",
    IMAGES: "they are not trained on",
    ALONE: "the whole row is left out",
}
"""What becomes of each kind."""
LISTS = ("messages", "conversations", "conversation", "prompt", "chosen", "rejected")
CALL_KEYS = ("tool_calls", "function_call", "tool_call_id")
TOOL_ROLES = {"tool", "function", "function_call", "tool_call", "observation"}
TOOL_ROLES |= {"function_response", "tool_response"}
CALL_MARKS = ("<tool_call>", "<tool_response>", "<tools>")
THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking")
THOUGHT_MARKS = ("<think>", "</think>")
MEDIA_KEYS = ("images", "image", "videos", "audios")


@dataclass(frozen=True)
class Dropped:
    """One kind of content, in how many rows, and in which first."""

    kind: str
    rows: int
    first: Origin

    def __str__(self) -> str:
        rows = f"{self.rows:,} rows have" if self.rows != 1 else "1 row has"
        where = f" (the first: {self.first})" if self.rows != 1 else f" ({self.first})"
        return f"{rows} {self.kind}{where}: {HAPPENS[self.kind]}"


class Counter:
    """Counts, row by row, what is dropped."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._first: dict[str, Origin] = {}
        self._error: UnsupportedError | None = None

    def see(self, values: object, origin: Origin) -> None:
        """Count what a row holds; what is no object holds nothing."""
        for kind in kinds_in(values) if isinstance(values, Mapping) else ():
            self._count(kind, origin)

    def _count(self, kind: str, origin: Origin) -> None:
        self._rows[kind] = self._rows.get(kind, 0) + 1
        self._first.setdefault(kind, origin)

    def leave_out(self, error: UnsupportedError) -> None:
        """Count a row that is not used at all."""
        self._count(ALONE, Origin(error.path or "", error.line or 0))
        self._error = self._error or error

    def check_some_left(self, path: str, used: int) -> None:
        """Raises: DataError where every row was left out."""
        rows = self._rows.get(ALONE, 0)
        if used or self._error is None:
            return
        if rows == 1:
            raise self._error
        error = self._error
        message = f"none of the {rows:,} rows of {path} can be used; the first: {error.message}"
        raise DataError(message, remedy=error.remedy)

    def found(self) -> tuple[Dropped, ...]:
        return tuple(
            Dropped(kind, self._rows[kind], self._first[kind])
            for kind in HAPPENS
            if kind in self._rows
        )


def merged(parts: Iterable[Dropped]) -> tuple[Dropped, ...]:
    """The findings of several files as one of each kind."""
    parts = list(parts)
    by_kind = {kind: [part for part in parts if part.kind == kind] for kind in HAPPENS}
    return tuple(
        Dropped(kind, sum(part.rows for part in found), found[0].first)
        for kind, found in by_kind.items()
        if found
    )


def kinds_in(values: Mapping[str, Any]) -> set[str]:
    """The kinds that a row holds."""
    kinds = {TOOLS} if values.get("tools") or values.get("functions") else set()
    if any(values.get(key) for key in MEDIA_KEYS):
        kinds.add(IMAGES)
    for turn in _turns(values):
        kinds |= _kinds_of_turn(turn)
    for value in values.values():
        if isinstance(value, str):
            kinds |= _kinds_of_text(value)
    return kinds


def _turns(values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in LISTS:
        found = values.get(key)
        if isinstance(found, list):
            yield from (turn for turn in found if isinstance(turn, Mapping))


def _kinds_of_turn(turn: Mapping[str, Any]) -> set[str]:
    kinds: set[str] = set()
    role = turn.get("role", turn.get("from"))
    if any(turn.get(key) for key in CALL_KEYS) or role in TOOL_ROLES:
        kinds.add(TOOLS)
    if any(turn.get(key) for key in THOUGHT_KEYS):
        kinds.add(THOUGHTS)
    if any(turn.get(key) for key in MEDIA_KEYS):
        kinds.add(IMAGES)
    content = turn.get("content", turn.get("value"))
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, Mapping):
            form = part.get("type", "text")
            text = part.get("text")
            if form in ("tool_use", "tool_result"):
                kinds.add(TOOLS)
            elif form in ("thinking", "reasoning"):
                kinds.add(THOUGHTS)
            elif form != "text":
                kinds.add(IMAGES)
        else:
            text = part
        if isinstance(text, str):
            kinds |= _kinds_of_text(text)
    return kinds


def _kinds_of_text(text: str) -> set[str]:
    kinds = {TOOLS} if any(mark in text for mark in CALL_MARKS) else set()
    return kinds | ({THOUGHTS} if any(mark in text for mark in THOUGHT_MARKS) else set())
