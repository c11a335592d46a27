"""A Python function as a reward: it is called with what its parameters name.

    def short(answers): ...                       all answers at once
    def polite(prompt, answer): ...               one answer at a time
    async def judged(prompts, answers): ...       waits without holding up the others
    async def looked_up(answer, metadata): ...    many at a time

Plural names (`prompts`, `answers`, `samples`, `conversations`, `answered`) ask for all answers at
once, singular ones (`prompt`, `answer`, `sample`, `conversation`) for one. `metadata` is of the
kind of the others, a list or one mapping.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches
from typing import Any

from luciola.errors import ConfigError
from luciola.rewards.background import wait
from luciola.rewards.checking import failed, source_file
from luciola.types import Answered

Read = Callable[[Answered], Any]
ONE: dict[str, Read] = {
    "prompt": lambda one: one.prompt,
    "answer": lambda one: one.answer,
    "sample": lambda one: one.prompt + one.answer,
    "conversation": lambda one: one.messages,
}
"""Parameters of a function that scores one answer, and what they are given."""
ALL: dict[str, Read] = {f"{name}s": read for name, read in ONE.items()} | {
    "answered": lambda one: one,
    "completions": ONE["answer"],  # TRL's name
    "outputs": ONE["answer"],  # trlx's name
}
"""Parameters of a function that scores all answers at once; each is a list."""
EITHER: dict[str, Read] = {"metadata": lambda one: one.metadata}
CONCURRENT = 32
"""Calls of an asynchronous function for one answer that are under way at a time."""


class FunctionPart:
    """A function, or an object that can be called.

    Args:
        name: of the component, for errors.
        function: its parameters decide how it is called; see the module.

    Raises: ConfigError for parameters that nothing is known for.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function
        self.in_background = is_asynchronous(function)
        self._file = source_file(function)
        parameters, takes_any = _parameters(function, name)
        self._one_by_one = any(parameter in ONE for parameter in parameters)
        known = ONE if self._one_by_one else ALL
        _check(parameters, known, name, self._file)
        wanted = {n: read for n, read in (known | EITHER).items() if n in parameters}
        if takes_any and not self._one_by_one:
            wanted |= {n: (ALL | EITHER)[n] for n in ("prompts", "answers", "samples", "metadata")}
        if not wanted:
            raise ConfigError(
                f"the reward {name} takes no parameters, so it cannot see the answers",
                remedy="def reward(answers): return [...], one score per answer",
            )
        self._wanted = wanted

    def raw(self, answered: Sequence[Answered]) -> object:
        """The function's own scores. Raises: RewardError naming the sample where it raised."""
        if not self._one_by_one:
            given = {name: [read(one) for one in answered] for name, read in self._wanted.items()}
            return self._call(answered, given)
        if self.in_background:
            return wait(self._concurrently(answered))
        return [self._call([one], self._of_one(one)) for one in answered]

    def _of_one(self, one: Answered) -> dict[str, Any]:
        return {name: read(one) for name, read in self._wanted.items()}

    def _call(self, answered: Sequence[Answered], given: dict[str, Any]) -> object:
        try:
            result = self.function(**given)
            return wait(_awaited(result)) if inspect.isawaitable(result) else result
        except Exception as error:  # a person's code may raise anything
            raise failed(self.name, error, answered, file=self._file) from error

    async def _concurrently(self, answered: Sequence[Answered]) -> list[object]:
        free = asyncio.Semaphore(CONCURRENT)

        async def call(one: Answered) -> object:
            async with free:
                try:
                    return await self.function(**self._of_one(one))
                except Exception as error:  # as in _call
                    raise failed(self.name, error, [one], file=self._file) from error

        calls = [asyncio.ensure_future(call(one)) for one in answered]
        try:
            return list(await asyncio.gather(*calls))
        finally:
            for pending in calls:  # after an error the others are not worth their cost
                pending.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


def is_asynchronous(function: object) -> bool:
    """True for `async def`, and for an object whose `__call__` is one."""
    call = getattr(function, "__call__", None)  # noqa: B004  # the method itself is looked at
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


async def _awaited(result: Awaitable[object]) -> object:
    return await result


def _parameters(function: Callable[..., Any], name: str) -> tuple[dict[str, bool], bool]:
    """Its parameters, each with whether it must be given; and whether it takes any other."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:  # written in C
        raise ConfigError(
            f"the reward {name} does not say which parameters it takes",
            remedy="Wrap it: def reward(answers): return [...]",
        ) from error
    kinds = inspect.Parameter
    by_name = {
        parameter.name: parameter.default is kinds.empty
        for parameter in signature.parameters.values()
        if parameter.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    by_place = {
        parameter.name: True
        for parameter in signature.parameters.values()
        if parameter.kind is kinds.POSITIONAL_ONLY and parameter.default is kinds.empty
    }
    if by_place:
        raise ConfigError(
            f"the reward {name} takes {', '.join(by_place)} by position only",
            remedy="Parameters are given by name: leave the slash out of its definition.",
        )
    takes_any = any(p.kind is kinds.VAR_KEYWORD for p in signature.parameters.values())
    return by_name, takes_any


def _check(
    parameters: dict[str, bool], known: dict[str, Read], name: str, file: str | None
) -> None:
    """Raises: ConfigError for a mixture of one and all, or a parameter that nobody fills."""
    where = f" ({file})" if file else ""
    everything = ONE | ALL | EITHER
    for parameter, is_required in parameters.items():
        if parameter in known or parameter in EITHER:
            continue
        if parameter in everything:
            other = next(p for p in parameters if p in ONE)
            raise ConfigError(
                f"the reward {name}{where} asks for {other}, of one answer, and for {parameter}, "
                "of all",
                remedy="Name either single ones (prompt, answer) or all (prompts, answers).",
            )
        if is_required:
            near = get_close_matches(parameter, everything, n=1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise ConfigError(
                f"the reward {name}{where} has a parameter {parameter!r} that nothing fills",
                remedy=f"{meant}There are {', '.join(ALL)}; {', '.join(ONE)}; metadata.",
            )


class RewardPart:
    """A `Reward` of a person's or of another package of ours; its own parts go to the log too."""

    in_background = False

    def __init__(self, reward: Any) -> None:
        self.reward = reward

    def raw(self, answered: Sequence[Answered]) -> object:
        """What it scored, a `Scored`."""
        return self.reward.score(answered)
