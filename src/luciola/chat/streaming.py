"""Tokens to text as they come: whole characters only, and nothing that may yet be a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

UNFINISHED = "�"
"""What a tokenizer gives for the first bytes of a character."""


class TextStream:
    """Decodes an answer bit by bit; all that it tells, joined, is the text of the answer.

    Args:
        tokenizer: of the model.
        stop: texts that end the answer and are not part of it.
        tell: called with each new piece of text.
    """

    def __init__(
        self, tokenizer: Any, stop: tuple[str, ...], tell: Callable[[str], None] | None
    ) -> None:
        self.tokenizer = tokenizer
        self.stop = stop
        self.tell = tell
        self.count = 0
        self.told = ""
        self._text = ""
        self._ids: list[int] = []
        self._start, self._end = 0, 0  # the window that new tokens are decoded behind

    def take(self, ids: Sequence[int]) -> None:
        """More tokens of the answer."""
        self._ids += ids
        self.count += len(ids)
        before = self._decode(self._ids[self._start : self._end])
        after = self._decode(self._ids[self._start :])
        if after.endswith(UNFINISHED):
            return
        self._text += after[len(before) :]
        self._start, self._end = self._end, len(self._ids)
        self._tell(self._text[: self._safe()])

    def finish(self, text: str) -> None:
        """The answer is over: tell what is still held back of its text."""
        self._tell(text)

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _safe(self) -> int:
        """Characters that no stop string can take back."""
        found = [at for at in (self._text.find(one) for one in self.stop) if at >= 0]
        if found:
            return min(found)
        held = 0
        for one in self.stop:
            longest = min(len(one) - 1, len(self._text))
            sizes = (n for n in range(longest, 0, -1) if self._text.endswith(one[:n]))
            held = max(held, next(sizes, 0))
        return len(self._text) - held

    def _tell(self, text: str) -> None:
        if text.startswith(self.told) and len(text) > len(self.told):
            if self.tell is not None:
                self.tell(text[len(self.told) :])
            self.told = text
