"""What a reward is made of: parts that give raw scores, each under a name and with a weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from luciola.types import Answered


class Part(Protocol):
    """Gives raw scores, unchecked: `checking.checked` looks at every part's scores alike."""

    @property
    def waits(self) -> bool:
        """It waits for something outside (a server, a coroutine), so others may run meanwhile."""
        ...

    def raw(self, answered: Sequence[Answered]) -> object:
        """A score per answer, in the order of `answered`: a number, or numbers per token."""
        ...


@dataclass(frozen=True)
class Component:
    """One term of a weighted sum.

    Args:
        name: how the log and the errors call it.
        weight: its scores count this many times; negative for a penalty.
    """

    name: str
    weight: float
    part: Part
