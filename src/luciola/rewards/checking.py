"""Every part's scores are looked at here, once: how many, which kind, finite.

A reward that is silently wrong spoils a run without a trace, so everything odd is a RewardError
that names the component and the answer it is about.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from traceback import walk_tb
from typing import Any

from luciola.errors import LuciolaError, RewardError
from luciola.fingerprints.libraries import is_library_file
from luciola.plugins import line_in
from luciola.types import Answered

SHOWN = 60
"""Characters of a prompt, an answer or a value that an error shows."""
Score = float | list[float]


def checked(name: str, answered: Sequence[Answered], raw: object) -> list[Score]:
    """`raw` as one score per answer: a float, or a list of one float per token of the answer.

    Tensors and arrays are accepted, and True and False as 1 and 0.

    Args:
        name: of the component, for errors.
        answered: at least one.
        raw: what a part returned.

    Raises: RewardError for nothing, a wrong count, what is no number, NaN and infinity.
    """
    values = as_list(raw)
    if values is None:
        seen = "nothing (None)" if raw is None else _seen(raw)
        raise RewardError(
            f"the reward {name} returned {seen} for {_count(answered)}, not a list; the first is "
            f"{shown(answered[0])}",
            remedy="Return a list with one score per answer, in their order.",
        )
    if len(values) != len(answered):
        place = min(len(values), len(answered) - 1)
        raise RewardError(
            f"the reward {name} returned {len(values)} scores for {_count(answered)}; answer "
            f"{place + 1} is {shown(answered[place])}",
            remedy="Return exactly one score per answer, in their order.",
        )
    return [_score(name, value, answered, place) for place, value in enumerate(values)]


def failed(
    name: str, error: BaseException, answered: Sequence[Answered], *, file: str | None = None
) -> LuciolaError:
    """The error for a part that raised `error` while it scored `answered`.

    Args:
        file: the person's own source file, whose line is named.
    """
    if isinstance(error, RewardError):
        return error
    about = shown(answered[0])
    if len(answered) > 1:
        about = f"{_count(answered)}, the first {about}"
    if isinstance(error, LuciolaError):
        message = f"the reward {name} failed on {about}: {error.message}"
        return RewardError(message, remedy=error.remedy)
    where = (line_in(error, file) if file else None) or own_line(error)
    where = where and where.removeprefix(f"{Path.cwd()}/")
    text = f"{type(error).__name__}: {error}".strip()
    reason = cut(text.splitlines()[0].rstrip(": "), 160)
    if isinstance(error, SystemExit):
        return RewardError(
            f"the reward {name} ended the program ({reason})"
            + (f" at {where}" if where else "")
            + f", on {about}",
            remedy="Raise an exception there, or give a score; a reward must not call sys.exit.",
        )
    remedy = "Correct it there. An answer that cannot be judged needs a score too, such as 0.0."
    return RewardError(
        f"the reward {name} raised {reason}" + (f" at {where}" if where else "") + f", on {about}",
        remedy=remedy if where else "--debug shows the whole trace.",
    )


def own_line(error: BaseException) -> str | None:
    """`FILE:LINE` of the innermost frame in a person's own code; None where there is none."""
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    own = [place for place in places if not (is_library_file(place[0]) or _is_ours(place[0]))]
    return f"{own[-1][0]}:{own[-1][1]}" if own else None


def _is_ours(file: str) -> bool:
    return file.startswith("<frozen") or Path(file).is_relative_to(Path(__file__).parents[1])


def shown(one: Answered) -> str:
    """A sample as errors name it, shortened to a line."""
    return f"prompt {cut(repr(one.prompt))}, answer {cut(repr(one.answer))}"


def cut(text: str, length: int = SHOWN) -> str:
    """`text`, or its beginning and an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def source_file(thing: Any) -> str | None:
    """The Python file that a function, method or callable object was written in, else None."""
    thing = getattr(thing, "__func__", thing)
    call = vars(type(thing)).get("__call__")
    code = getattr(thing, "__code__", None) or getattr(call, "__code__", None)
    return code.co_filename if code is not None and Path(code.co_filename).is_file() else None


def _score(name: str, value: object, answered: Sequence[Answered], place: int) -> Score:
    one = answered[place]
    about = f"for answer {place + 1} of {len(answered)} ({shown(one)})"
    number = as_number(value)
    if number is not None:
        return _finite(number, name, about)
    tokens = as_list(value)
    if tokens is None:
        raise RewardError(
            f"the reward {name} gave {_seen(value)} {about}, which is no number",
            remedy="Give a number; 0.0 where it cannot tell.",
        )
    if len(tokens) != one.token_count:
        raise RewardError(
            f"the reward {name} gave a list of {len(tokens)} scores {about}, which has "
            f"{one.token_count} tokens",
            remedy="Give one number, or one per token of the answer, its end token included.",
        )
    return [_token_score(name, token, index, one, about) for index, token in enumerate(tokens)]


def _token_score(name: str, value: object, index: int, one: Answered, about: str) -> float:
    text = f" {cut(repr(one.tokens[index]))}" if index < len(one.tokens) else ""
    about = f"for token {index + 1}{text}, {about}"
    number = as_number(value)
    if number is None:
        raise RewardError(
            f"the reward {name} gave {_seen(value)} {about}, which is no number",
            remedy="Give a number per token; 0.0 where there is nothing to say.",
        )
    return _finite(number, name, about)


def _finite(number: float, name: str, about: str) -> float:
    if math.isfinite(number):
        return number
    raise RewardError(
        f"the reward {name} gave {number} {about}",
        remedy="Look for a division by zero or the logarithm of 0; every score must be finite.",
    )


def as_number(value: Any) -> float | None:
    """A float from a number, a numpy scalar or a tensor without dimensions; else None."""
    if _has_no_dimensions(value):
        value = value.item()
    if not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number beyond the range of floats
        return math.inf


def as_list(value: Any) -> list[Any] | None:
    """The items of a list, a tuple, an array or a tensor; None for anything else."""
    if hasattr(value, "tolist") and not _has_no_dimensions(value):
        value = value.tolist()
    is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return list(value) if is_list else None


def _has_no_dimensions(value: Any) -> bool:
    return hasattr(value, "item") and tuple(getattr(value, "shape", (1,))) == ()


def _seen(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__} {cut(repr(value))}"


def _count(answered: Sequence[Answered]) -> str:
    return f"{len(answered)} answers" if len(answered) != 1 else "1 answer"
