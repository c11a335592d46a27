"""What a study asks for SQL: any language model that turns prompts into texts.

A model over HTTP is one (`endpoint`), and so is one on this machine (`specialist.local`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Progress = Callable[[int, int], None]
"""Prompts answered, and prompts in all."""


@dataclass(frozen=True)
class Sampling:
    """How each prompt is answered; the defaults are the published ones.

    Args:
        answers: texts for each prompt, `n`.
        temperature: 0 takes the likeliest token.
        top_p: share of the probability that is drawn from.
        max_tokens: of one answer.
        stop: texts that end an answer and are not part of it.
        seed: of what is drawn; passed on to servers that know one.
    """

    answers: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 200
    stop: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Answers:
    """What came back for one prompt.

    Args:
        texts: as many as were asked for, fewer where a server gave no more; none where the model
            refused or failed.
        prompt_tokens: of the prompt once, as the model counts them.
        answer_tokens: of all texts together.
        cached: whether the answer was kept from an earlier time.
        error: why there are no texts; "" where there are some.
        requests: how often the prompt was sent; each time its tokens are paid for.
        counted: False where the server did not say how many tokens it read and wrote; they are 0.
        cut: places of the texts that ended only because `max_tokens` were written.
    """

    texts: tuple[str, ...]
    prompt_tokens: int
    answer_tokens: int
    cached: bool = False
    error: str = ""
    requests: int = 1
    counted: bool = True
    cut: tuple[int, ...] = ()


class LanguageModel(Protocol):
    """Answers prompts, each as the one message of a user, or raw where it was told so."""

    @property
    def name(self) -> str:
        """What reports call it."""

    def answer(
        self, prompts: Sequence[str], sampling: Sampling, progress: Progress | None = None
    ) -> list[Answers]:
        """One `Answers` for each prompt, in order."""
