"""The answers being written: what each row has so far, and whether it is finished."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from luciola.errors import LuciolaError
from luciola.rollout.noise import row_key
from luciola.types import Constraint, Request, Sample, Sampling

Decode = Callable[[Sequence[int]], str]


@dataclass
class Row:
    """One answer while it is written.

    Args:
        request, copy: which answer of which request.
        place: among all answers, from 0.
        prompt: its token ids.
        sampling: settings.
        key: of its noise.
        limit: tokens it may have; less than asked for where the model's context ends.
        stop: strings that end it.
        constraint: which tokens may come, and `state`, its state.
    """

    request: int
    copy: int
    prompt: tuple[int, ...]
    sampling: Sampling
    key: int
    limit: int
    place: int = 0
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    state: Any = None
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: Literal["end", "stop", "length", "refused"] | None = None

    def __post_init__(self) -> None:
        if self.limit <= 0:
            self.finish = "length"
        self.restart()

    def restart(self) -> None:
        """Forget the tokens so far; the noise has an address, so that the same will come again."""
        self.ids.clear()
        self.logprobs.clear()
        if self.constraint is not None:
            self.state = self.constraint.start(1)

    def take(
        self,
        tokens: Sequence[int],
        logprobs: Sequence[float],
        end_ids: Collection[int],
        decode: Decode,
    ) -> None:
        """Append tokens until one finishes the answer; what comes after that one is dropped."""
        for token, logprob in zip(tokens, logprobs, strict=True):
            if self.finish is not None:
                return
            self.ids.append(token)
            self.logprobs.append(logprob)
            self.finish = finish_of(self.ids, self, end_ids, decode)

    def sample(self, version: int) -> Sample:
        """The finished answer."""
        assert self.finish is not None
        return Sample(self.request, tuple(self.ids), tuple(self.logprobs), self.finish, version)


def finish_of(
    ids: Sequence[int], row: Row, end_ids: Collection[int], decode: Decode
) -> Literal["end", "stop", "length"] | None:
    """Why an answer of these tokens to a row's prompt is finished; None: it goes on."""
    if ids[-1] in end_ids:
        return "end"
    if row.stop and any(text in decode(ids) for text in row.stop):
        return "stop"
    return "length" if len(ids) >= row.limit else None


def rows_of(requests: Sequence[Request], context: int | None) -> list[Row]:
    """One row per answer asked for, in the order of the requests.

    Args:
        requests: prompts of any lengths but 0.
        context: tokens the model can take, prompt and answer together; None: no limit known.

    Raises: LuciolaError for an empty prompt, or one that leaves no room for an answer.
    """
    rows: list[Row] = []
    for index, request in enumerate(requests):
        limit = _limit(index, request, context)
        prompt = tuple(request.prompt)
        rows += [
            Row(
                request=index,
                copy=copy,
                prompt=prompt,
                sampling=request.sampling,
                key=row_key(request.seed, copy),
                limit=limit,
                place=len(rows) + copy,
                stop=request.stop,
                constraint=request.constraint,
            )
            for copy in range(request.n)
        ]
    return rows


def _limit(index: int, request: Request, context: int | None) -> int:
    if not request.prompt:
        raise LuciolaError(
            f"request {index} has an empty prompt", remedy="Begin it with at least one token."
        )
    asked = request.sampling.max_new_tokens
    if context is None:
        return asked
    if len(request.prompt) >= context:
        raise LuciolaError(
            f"the prompt of request {index} has {len(request.prompt)} tokens, "
            f"and the model's context of {context} leaves no room for an answer",
            remedy="Shorten the prompt, or use a model with a longer context.",
        )
    return min(asked, context - len(request.prompt))
