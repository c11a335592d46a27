"""Which numbers a setting allows: written into its type, and checked when the recipe is made.

`batch: Count = 16` says all there is to say. The check runs in `__post_init__` of a recipe,
so that a recipe made directly in Python is checked as well as one read from a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from math import inf
from typing import Annotated, Any, get_args, get_type_hints

from luciola.config.place import Place, spelled
from luciola.errors import ConfigError


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `above` and `below` leave out the end itself.

    NaN and the infinities are in no range.
    """

    low: float = -inf
    high: float = inf
    above: bool = False
    below: bool = False

    def __contains__(self, number: float) -> bool:
        low = self.low < number if self.above else self.low <= number
        high = number < self.high if self.below else number <= self.high
        return low and high and abs(number) != inf

    def __str__(self) -> str:
        parts = []
        if self.low > -inf:
            parts.append(f"{'above' if self.above else 'at least'} {self.low:g}")
        if self.high < inf:
            parts.append(f"{'below' if self.below else 'at most'} {self.high:g}")
        return " and ".join(parts)


Count = Annotated[int, Range(1)]
CountOrZero = Annotated[int, Range(0)]
Positive = Annotated[float, Range(0, above=True)]
NotNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
UpToHalf = Annotated[float, Range(0, 0.5)]
ShareBelowOne = Annotated[float, Range(0, 1, below=True)]


class SettingError(ConfigError):
    """A setting whose value is not allowed; `place` says which."""

    def __init__(self, place: Place, message: str, *, remedy: str | None = None) -> None:
        super().__init__(f"{spelled(place)} {message}", remedy=remedy)
        self.place = place


def type_hints(cls: type[Any]) -> dict[str, Any]:
    """The types of a recipe's settings, with their ranges."""
    hashable: Any = cls  # mypy thinks that a class is not
    return _type_hints(hashable)


@cache
def _type_hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def range_of(hint: Any) -> Range | None:
    """The range written into a type, if there is one."""
    extras = getattr(hint, "__metadata__", ())
    return next((extra for extra in extras if isinstance(extra, Range)), None)


def check_ranges(recipe: Any) -> None:
    """Refuse the first number that is outside its setting's range, in the recipe and its parts.

    Raises: SettingError.
    """
    for place, hint, value in _part(recipe, ()):
        allowed = range_of(hint)
        if allowed and not (isinstance(value, int | float) and value in allowed):
            raise SettingError(place, f"must be {allowed}, got {value!r}")


Leaf = tuple[Place, Any, Any]


def _part(part: Any, place: Place) -> Iterator[Leaf]:
    hints = type_hints(type(part))
    for field in fields(part):
        yield from _leaves(hints[field.name], getattr(part, field.name), (*place, field.name))


def _leaves(hint: Any, value: Any, place: Place) -> Iterator[Leaf]:
    if is_dataclass(value):
        yield from _part(value, place)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _leaves(get_args(hint)[0], item, (*place, index))
    else:
        yield place, hint, value
