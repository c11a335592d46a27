"""Answers that are never lost: each is kept as it comes, and what fails costs no other.

Prompts are answered some at a time, as many as the sampler takes at once. What was answered is in
the file before the next begin, so that an end at any moment loses one batch at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from luciola.rollout.text import answer
from luciola.sql.asking.cache import AnswerCache, Kept, address
from luciola.sql.asking.model import Sampling as AskedSampling
from luciola.types import Sampler, Sampling

OUT_OF_MEMORY = "out of memory, even by itself"


@dataclass(frozen=True)
class Written:
    """What a model wrote for one question.

    Args:
        sql: the query; "" where there is none.
        failure: why there is none; "" where there is one.
        kept: whether it was kept from an earlier time.
        cut: whether the model's answer ended only because it had no more tokens.
    """

    sql: str
    failure: str = ""
    kept: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Keeping:
    """Where answers are kept, and under whose name.

    Args:
        cache: the file.
        model: whatever tells this model and its settings from others.
    """

    cache: AnswerCache
    model: str

    def key(self, prompt: Sequence[int], sampling: Sampling) -> str:
        """What the answer to a prompt's tokens is kept under."""
        settings = AskedSampling(max_tokens=sampling.max_new_tokens)
        return address(self.model, " ".join(map(str, prompt)), settings)


def texts_of(
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    sampler: Sampler,
    tokenizer: object,
    *,
    at_once: int,
    keeping: Keeping | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Written]:
    """The text that answers each prompt, in order; equal prompts are answered once.

    Args:
        at_once: prompts that are answered together.
        keeping: takes what is there, and keeps what comes.
        progress: is told how many are answered, and of how many.
    """
    found: dict[tuple[int, ...], Written] = {}
    waiting: list[tuple[int, ...]] = []
    for prompt in dict.fromkeys(tuple(one) for one in prompts):
        kept = keeping.cache.find(keeping.key(prompt, sampling)) if keeping is not None else None
        if kept is not None and kept.texts:
            found[prompt] = Written(kept.texts[0], kept=True, cut=0 in kept.cut)
        else:
            waiting.append(prompt)
    for start in range(0, len(waiting), at_once):
        some = waiting[start : start + at_once]
        for prompt, one in zip(some, _answered(some, sampling, sampler, tokenizer), strict=True):
            found[prompt] = one
            if keeping is not None and not one.failure:
                cut = (0,) if one.cut else ()
                kept_now = Kept((one.sql,), len(prompt), 0, counted=False, cut=cut)
                keeping.cache.keep(keeping.key(prompt, sampling), kept_now)
        if progress is not None:
            progress(min(start + at_once, len(waiting)), len(waiting))
    return [found[tuple(prompt)] for prompt in prompts]


def _answered(
    prompts: Sequence[tuple[int, ...]], sampling: Sampling, sampler: Sampler, tokenizer: object
) -> list[Written]:
    """The answers; in halves where memory runs out, down to one that is too much by itself."""
    try:
        made = answer(sampler, tokenizer, prompts, sampling)  # type: ignore[arg-type]
        return [Written(one.text, cut=one.finish == "length") for one in made]
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    if len(prompts) == 1:
        return [Written("", OUT_OF_MEMORY)]
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(prompts) // 2
    first = _answered(prompts[:half], sampling, sampler, tokenizer)
    return first + _answered(prompts[half:], sampling, sampler, tokenizer)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; on the CPU torch says so in words only."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
