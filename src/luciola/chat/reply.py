"""An answer, and what gives answers. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from luciola.chat.settings import ChatSettings
from luciola.types import Message

Tell = Callable[[str], None]
"""Called with each new piece of a text."""


@dataclass(frozen=True)
class Reply:
    """An answer.

    Args:
        text: what it says, without end tokens and stop strings.
        tokens: of the answer.
        finish: "end", "stop", "length" (cut off), "interrupted", or "failed".
        seconds: from the question to the last token.
        first: seconds to the first token; 0 where the tokens were not heard one by one.
        left_out: turns that did not fit into the context.
        error: what was wrong with the question, where there is no answer.
    """

    text: str
    tokens: int
    finish: str
    seconds: float = 0.0
    first: float = 0.0
    left_out: int = 0
    error: str = ""

    @property
    def speed(self) -> float:
        """Tokens per second, after the first where its time is known."""
        if self.first and self.tokens > 1 and self.seconds > self.first:
            return (self.tokens - 1) / (self.seconds - self.first)
        return self.tokens / self.seconds if self.seconds else 0.0


class Answers(Protocol):
    """What a session talks to; `luciola.chat.model.ChatModel` is one."""

    def check(self, settings: ChatSettings) -> None: ...

    def answer(
        self,
        messages: Sequence[Message],
        settings: ChatSettings,
        *,
        seed: int = 0,
        tell: Tell | None = None,
    ) -> Reply: ...

    def answer_all(
        self,
        conversations: Sequence[Sequence[Message]],
        settings: ChatSettings,
        *,
        first: int = 0,
    ) -> list[Reply]: ...
