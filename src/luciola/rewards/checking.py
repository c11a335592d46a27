"""What a reward gave back, made sure of: a finite number for every answer, or for its every token.

A reward that is silently wrong spoils a run without a trace, so everything odd is an error that
names the component and the sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from luciola.errors import LuciolaError, RewardError
from luciola.rewards.component import Component, Score
from luciola.types import Answered

SHOWN = 60


def checked_scores(component: Component, answered: Sequence[Answered]) -> list[Score]:
    """The component's scores, as plain floats.

    Raises: RewardError where it raises, or gives nothing, the wrong number of scores, something
        that is no number, or NaN or an infinity.
    """
    try:
        given = component.scores(answered)
    except LuciolaError:
        raise
    except Exception as error:
        raise RewardError(
            f"the reward {component.name} raised {type(error).__name__}: {error} "
            f"(scoring {len(answered)} answers, the first {described(answered[0])})",
            remedy="Try it alone on these answers; it must return a number for each.",
        ) from error
    if given is None:
        raise _nothing(component, answered)
    try:
        values = _listed(given)
    except TypeError:
        raise RewardError(
            f"the reward {component.name} gave a {type(given).__name__} instead of a list of "
            f"{len(answered)} scores",
            remedy="Return one score per answer, in a list.",
        ) from None
    if len(values) != len(answered):
        raise RewardError(
            f"the reward {component.name} gave {len(values)} scores for {len(answered)} answers",
            remedy="Return one score per answer, in their order.",
        )
    return [_score(component, v, one) for v, one in zip(values, answered, strict=True)]


def described(one: Answered) -> str:
    """A sample as an error names it."""
    return f"{_short(one.answer)!r} to {_short(one.prompt)!r}"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _nothing(component: Component, answered: Sequence[Answered]) -> RewardError:
    return RewardError(
        f"the reward {component.name} gave nothing for {len(answered)} answers",
        remedy="Does its function end without a return?",
    )


def _listed(given: Any) -> list[Any]:
    """A list of what may be a list, an array or a tensor."""
    if isinstance(given, str | bytes | dict):
        raise TypeError
    return list(given.tolist() if hasattr(given, "tolist") else given)


def _score(component: Component, value: Any, one: Answered) -> Score:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if len(value) != one.token_count:
            raise RewardError(
                f"the reward {component.name} gave {len(value)} scores for the {one.token_count} "
                f"tokens of the answer {described(one)}",
                remedy="A reward per token gives one score for each, the end token included.",
            )
        return tuple(_number(component, item, one) for item in value)
    return _number(component, value, one)


def _number(component: Component, value: Any, one: Answered) -> float:
    if not isinstance(value, Real):
        raise RewardError(
            f"the reward {component.name} gave {value!r:.40} for the answer {described(one)}",
            remedy="A score is a number.",
        )
    number = float(value)
    if not math.isfinite(number):
        raise RewardError(
            f"the reward {component.name} gave {number} for the answer {described(one)}",
            remedy="A score must be finite; look at what it divides by, or takes the logarithm of.",
        )
    return number
