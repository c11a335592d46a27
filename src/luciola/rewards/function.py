"""A person's own Python function as a reward.

Its parameters' names say what it gets. In the plural it is called once with lists of all answers:
`prompts`, `answers` (or `outputs`, `completions`), `samples` (prompt and answer joined),
`messages`, `metadata`, `answered`; any other name is a column of the prompts' rows. In the singular
(`prompt`, `answer`, `sample`, ...) it is called once per answer. It may be a coroutine; calls per
answer then run at the same time.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from luciola.errors import RewardError
from luciola.types import Answered

READ: dict[str, Callable[[Answered], Any]] = {
    "prompt": lambda one: one.prompt,
    "answer": lambda one: one.answer,
    "output": lambda one: one.answer,
    "completion": lambda one: one.answer,
    "sample": lambda one: one.prompt + one.answer,
    "message": lambda one: one.messages,
    "row": lambda one: one.metadata,
}
PLURAL = {
    **{f"{name}s": read for name, read in READ.items()},
    "metadata": lambda one: one.metadata,
    "answered": lambda one: one,
}


class FunctionReward:
    """Calls a function with what its parameters are named after.

    Args:
        function: of answers.
        name: for figures and errors.
    """

    def __init__(self, function: Callable[..., Any], name: str = "") -> None:
        self.function = function
        self.name = name or getattr(function, "__name__", type(function).__name__)
        self.waits = inspect.iscoroutinefunction(function)
        self._parameters = [
            p.name
            for p in inspect.signature(function).parameters.values()
            if p.kind is not p.VAR_POSITIONAL
            and not (p.default is not p.empty and p.name not in {**READ, **PLURAL})
        ]
        signature = inspect.signature(function).parameters.values()
        self._takes_any = any(p.kind is p.VAR_KEYWORD for p in signature)
        if self._takes_any:
            self._parameters = [n for n in self._parameters if n in {**READ, **PLURAL}]
        self._one_by_one = any(name in READ for name in self._parameters)

    def scores(self, answered: Sequence[Answered]) -> Sequence[Any]:
        """What the function gives."""
        if self._one_by_one:
            results = [self.function(**self._single(one)) for one in answered]
            return _awaited(results) if self.waits else results
        result = self._batched(answered)
        return _awaited([result])[0] if self.waits else result

    def _batched(self, answered: Sequence[Answered]) -> Any:
        unknown = [name for name in self._parameters if name not in PLURAL]
        columns = {key for one in answered for key in one.metadata}
        if len(self._parameters) == 1 and unknown and unknown[0] not in columns:
            return self.function([one.answer for one in answered])
        given = {name: [self._value(name, one) for one in answered] for name in self._parameters}
        if self._takes_any:
            given |= {n: [r(one) for one in answered] for n, r in PLURAL.items() if n in _MOST}
        return self.function(**given)

    def _single(self, one: Answered) -> dict[str, Any]:
        return {name: self._value(name, one) for name in self._parameters}

    def _value(self, name: str, one: Answered) -> Any:
        read = READ.get(name) or PLURAL.get(name)
        if read is not None:
            return read(one)
        if name in one.metadata:
            return one.metadata[name]
        known = ", ".join([*PLURAL, *one.metadata])
        raise RewardError(
            f"the reward {self.name} asks for {name!r}, which the prompts' rows do not have",
            remedy=f"It may ask for {known}.",
        )


_MOST = ("prompts", "answers", "samples")


def _awaited(coroutines: Sequence[Any]) -> list[Any]:
    """All results, awaited together in a thread of their own: there may be a loop in this one."""

    async def gather() -> list[Any]:
        return list(await asyncio.gather(*coroutines))

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(gather())).result()
