"""Answers and their scores: the first two phases of an iteration."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from luciola.methods.online.experience import Rollout
from luciola.methods.online.prompts import Prompt
from luciola.rollout.text import read
from luciola.rollout.weights import SamplingWeights
from luciola.types import Answered, Request, Reward, Sample, Sampler, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Asked:
    """A prompt with its place in the iteration and in the data, and the seed of its answers."""

    group: int
    prompt: int
    seed: int


@dataclass
class Rollouts:
    """Makes rollouts with the policy as it is.

    Args:
        weights: those that the sampler uses.
        sampler: makes the answers.
        reward: scores them.
        tokenizer: turns tokens into text.
        sampling: how answers are sampled.
        answers: per prompt.
        stop: texts that end an answer.
    """

    weights: SamplingWeights
    sampler: Sampler
    reward: Reward
    tokenizer: PreTrainedTokenizerBase
    sampling: Sampling
    answers: int = 1
    stop: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def make(
        self, prompts: Sequence[Prompt], asked: Sequence[Asked], *, version: int, answers: int = 0
    ) -> list[Rollout]:
        """Answer and score; `seconds` then says how long each part took."""
        if not asked:
            self.seconds = {}
            return []
        n = answers or self.answers
        began = time.perf_counter()
        self.weights.refresh()
        self.sampler.sync(version)
        requests = [
            Request(prompts[one.prompt].ids, n, self.sampling, one.seed, self.stop) for one in asked
        ]
        samples = self.sampler.sample(requests)
        sampled = time.perf_counter()
        answered = [self._answered(prompts[asked[s.request].prompt], s) for s in samples]
        scored = self.reward.score(answered)
        self.seconds = {
            "sampling": sampled - began,
            "scoring": time.perf_counter() - sampled,
            **{f"scoring/{name}": value for name, value in scored.seconds.items()},
        }
        rollouts = []
        for row, (sample, score) in enumerate(zip(samples, scored.scores, strict=True)):
            one = asked[sample.request]
            rollouts.append(
                Rollout(
                    index=one.group * n + row % n,
                    group=one.group,
                    prompt=one.prompt,
                    prompt_ids=tuple(map(int, prompts[one.prompt].ids)),
                    ids=tuple(map(int, sample.ids)),
                    finish=sample.finish,
                    sampled=tuple(map(float, sample.logprobs)),
                    score=float(score)
                    if isinstance(score, int | float)
                    else tuple(float(value) for value in score),
                    parts={name: float(part[row]) for name, part in scored.parts.items()},
                )
            )
        return rollouts

    def _answered(self, prompt: Prompt, sample: Sample) -> Answered:
        return Answered(
            prompt=prompt.text,
            answer=read(sample, self.tokenizer, self.stop).text,
            messages=prompt.messages,
            token_count=len(sample.ids),
            tokens=tuple(str(self.tokenizer.decode([i])) for i in sample.ids),
            finish=sample.finish,
            metadata=prompt.metadata,
        )
