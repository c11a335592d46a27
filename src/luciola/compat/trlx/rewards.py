"""trlx's functions of samples, prompts, outputs, as the rewards and metrics of our methods."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luciola.types import Answered, Scored

Function = Callable[..., Any]


@dataclass(frozen=True)
class FunctionReward:
    """Calls reward_fn(samples, prompts, outputs, tokenizer, **the other columns of the prompts).

    Args:
        function: gives a number per sample, or a list of them, one per token; it is given those of
            the arguments that it names.
        tokenizer: the model's.
    """

    function: Function
    tokenizer: Any

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", "reward_fn")

    def score(self, answered: Sequence[Answered]) -> Scored:
        """One score per answer; whether they are usable is checked by the caller."""
        columns = {name: [one.metadata[name] for one in answered] for name in _shared(answered)}
        scores = call(
            self.function,
            samples=[one.prompt + one.answer for one in answered],
            prompts=[one.prompt for one in answered],
            outputs=[one.answer for one in answered],
            tokenizer=self.tokenizer,
            **columns,
        )
        if not isinstance(scores, list | tuple) or len(scores) != len(answered):
            return Scored(scores)  # refused by the caller, or a tensor
        return Scored([_with_end(s, one) for s, one in zip(scores, answered, strict=True)])


def _with_end(score: Any, one: Answered) -> Any:
    """A list that covers an answer's text, with 0.0 for the end token, which the text lacks.

    In trlx's training the text shows the end token, so its functions count it with the rest.
    """
    is_list = isinstance(score, list | tuple) and one.finish == "end"
    return [*score, 0.0] if is_list and len(score) == one.token_count - 1 else score


def metric(function: Function, tokenizer: Any) -> Function:
    """metric_fn, as our evaluation calls a metric."""

    def judge(samples: list[str], prompts: list[str], outputs: list[str]) -> Mapping[str, Any]:
        return call(
            function, samples=samples, prompts=prompts, outputs=outputs, tokenizer=tokenizer
        )

    judge.__name__ = getattr(function, "__name__", "metric_fn")
    return judge


def call(function: Function, **arguments: Any) -> Any:
    """Call with those arguments that the function names; with all where it takes any."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return function(**arguments)
    return function(**{name: value for name, value in arguments.items() if name in parameters})


def _shared(answered: Sequence[Answered]) -> list[str]:
    """Columns that every answer's row has."""
    if not answered:
        return []
    return [name for name in answered[0].metadata if all(name in a.metadata for a in answered)]
