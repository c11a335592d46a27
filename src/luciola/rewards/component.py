"""One part of a reward: it has a name, and gives a score per answer or per token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from luciola.types import Answered

Score = float | Sequence[float]


class Component(Protocol):
    """Scores answers, unchecked: `checking` looks at what it gives."""

    @property
    def name(self) -> str:
        """Short, for figures and errors."""
        ...

    @property
    def waits(self) -> bool:
        """It waits for something outside (a server, a coroutine), so others may run meanwhile."""
        ...

    def scores(self, answered: Sequence[Answered]) -> Sequence[Any]:
        """One score per answer: a number, or a number per token."""
        ...
