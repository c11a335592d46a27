"""A person's own Python function as a reward: it is called with what its parameters name.

    def short(answers): ...                       all answers at once
    def polite(prompt, answer): ...               one answer at a time
    async def judged(prompts, answers): ...       waits without holding up the others
    async def looked_up(answer, label): ...       many at a time; `label` is a column of the rows

Plural names (`prompts`, `answers`, `samples`, `answered`) ask for all answers at once, singular
ones (`prompt`, `answer`, `sample`) for one. `metadata`, `messages` and the columns of the prompts'
rows are of the kind of the others: lists, or the one value.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches
from typing import Any

from luciola.errors import ConfigError, RewardError
from luciola.rewards.background import wait
from luciola.rewards.checking import failed, shown, source_file
from luciola.types import Answered

Read = Callable[[Answered], Any]
ONE: dict[str, Read] = {
    "prompt": lambda one: one.prompt,
    "answer": lambda one: one.answer,
    "sample": lambda one: one.prompt + one.answer,
}
"""Parameters of a function that scores one answer, and what they are given."""
ALL: dict[str, Read] = {f"{name}s": read for name, read in ONE.items()} | {
    "answered": lambda one: one,
    "completions": ONE["answer"],  # TRL's name
    "outputs": ONE["answer"],  # trlx's name
}
"""Parameters of a function that scores all answers at once; each is a list."""
EITHER: dict[str, Read] = {
    "metadata": lambda one: one.metadata,
    "messages": lambda one: one.messages,
}
BY_DEFAULT = ("prompts", "answers", "samples", "metadata")
"""What a function with **kwargs is given."""
CONCURRENT = 32
"""Calls of an asynchronous function for one answer that are under way at a time."""


class FunctionPart:
    """A function, or an object that can be called.

    Args:
        name: of the component, for errors.
        function: its parameters decide how it is called; see the module.

    Raises: ConfigError for parameters that cannot be filled.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function
        self.waits = is_asynchronous(function)
        self._file = source_file(function)
        parameters, takes_any = _parameters(function, name)
        _check(parameters, takes_any, name)
        self._one_by_one = any(parameter in ONE for parameter in parameters)
        known = EITHER | (ONE if self._one_by_one else ALL)
        added = BY_DEFAULT if takes_any and not self._one_by_one else ()
        self._wanted = {n: known[n] for n in (*parameters, *added) if n in known}
        self._columns = [n for n, required in parameters.items() if required and n not in known]

    def raw(self, answered: Sequence[Answered]) -> object:
        """The function's own scores. Raises: RewardError naming the sample where it raised."""
        if not self._one_by_one:
            given = [self._given(one) for one in answered]
            names = [*self._wanted, *self._columns]
            return self._call(answered, {name: [row[name] for row in given] for name in names})
        if self.waits:
            return wait(self._concurrently(answered))
        return [self._call([one], self._given(one)) for one in answered]

    def _given(self, one: Answered) -> dict[str, Any]:
        given = {name: read(one) for name, read in self._wanted.items()}
        return given | {name: self._column(name, one) for name in self._columns}

    def _column(self, name: str, one: Answered) -> Any:
        if name in one.metadata:
            return one.metadata[name]
        known = [*ALL, *ONE, *EITHER, *one.metadata]
        near = get_close_matches(name, known, n=1)
        raise RewardError(
            f"the reward {self.name} asks for {name!r}, which is no column of the row of "
            f"{shown(one)}",
            remedy=(f"Did you mean {near[0]}? " if near else "") + f"There are {', '.join(known)}.",
        )

    def _call(self, answered: Sequence[Answered], given: dict[str, Any]) -> object:
        try:
            result = self.function(**given)
            return wait(_awaited(result)) if inspect.isawaitable(result) else result
        except (Exception, SystemExit) as error:  # a person's code may raise anything
            raise failed(self.name, error, answered, file=self._file) from error

    async def _concurrently(self, answered: Sequence[Answered]) -> list[object]:
        free = asyncio.Semaphore(CONCURRENT)

        async def call(one: Answered) -> object:
            async with free:
                given = self._given(one)
                try:
                    return await self.function(**given)
                except (Exception, SystemExit) as error:  # as in _call
                    raise failed(self.name, error, [one], file=self._file) from error

        calls = [asyncio.ensure_future(call(one)) for one in answered]
        try:
            return list(await asyncio.gather(*calls))
        finally:
            for pending in calls:  # after an error the others are not worth their cost
                pending.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


class RewardPart:
    """A `Reward` of a person's, or of another package; its own parts go to the log too."""

    waits = False

    def __init__(self, reward: Any) -> None:
        self.reward = reward

    def raw(self, answered: Sequence[Answered]) -> object:
        """What it scored: a `Scored`."""
        return self.reward.score(answered)


def is_asynchronous(function: object) -> bool:
    """True for `async def`, and for an object whose `__call__` is one."""
    call = getattr(type(function), "__call__", None)  # noqa: B004  # the method is looked at
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


async def _awaited(result: Awaitable[object]) -> object:
    return await result


def _parameters(function: Callable[..., Any], name: str) -> tuple[dict[str, bool], bool]:
    """Its parameters, each with whether it must be given; and whether it takes any other."""
    try:
        listed = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:  # written in C
        raise ConfigError(
            f"the reward {name} does not say which parameters it takes",
            remedy="Wrap it: def reward(answers): return [...]",
        ) from error
    for parameter in listed:
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            raise ConfigError(
                f"the reward {name} takes {parameter.name!r} by position only",
                remedy="Leave the slash out of its definition: parameters are given by name.",
            )
    by_name = {
        parameter.name: parameter.default is parameter.empty
        for parameter in listed
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    return by_name, any(parameter.kind is parameter.VAR_KEYWORD for parameter in listed)


def _check(parameters: dict[str, bool], takes_any: bool, name: str) -> None:
    """Raises: ConfigError for a mixture of one and all, or where no parameter is an answer."""
    single = [parameter for parameter in parameters if parameter in ONE]
    plural = [parameter for parameter in parameters if parameter in ALL]
    if single and plural:
        raise ConfigError(
            f"the reward {name} asks for {single[0]}, of one answer, and for {plural[0]}, of all",
            remedy="Name either those of one (prompt, answer) or those of all (prompts, answers).",
        )
    if not single and not plural and not takes_any:
        wrong = next(iter(parameters), "")
        near = get_close_matches(wrong, [*ALL, *ONE], n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        listed = ", ".join(parameters) or "none"
        raise ConfigError(
            f"the reward {name} cannot see the answers by its parameters ({listed})",
            remedy=f"{meant}Name them {', '.join(ALL)} (lists), or {', '.join(ONE)} (one by one).",
        )
