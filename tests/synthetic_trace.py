"""Invented traces that obey PPO's rules to the last digit, for the tests of the trace and its page.

Nothing here was ever sampled from a model.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

from luciola.runs.trace import AnswerTrace

SETTINGS = {
    "gamma": 1.0,
    "lam": 0.95,
    "clip": 0.2,
    "clip_value": 0.2,
    "kl_coef": 0.05,
    "kl_estimator": "k1",
    "temperature": 1.0,
    "whiten_advantages": True,
    "whiten_rewards": False,
}
WORDS = ("I", "think", "you", "are", "very", "kind", "and", "your", "question", "is", "good", "so")


def ppo_answer(
    tokens: Sequence[str], *, iteration: int = 1, prompt_index: int = 0, score: float = 1.0
) -> AnswerTrace:
    """An answer whose figures follow from a random policy and critic by PPO's equations."""
    noise = random.Random(f"{iteration} {prompt_index}")
    count = len(tokens)
    logprobs = [-noise.uniform(0.05, 3.0) for _ in tokens]
    ref_logprobs = [lp - noise.gauss(0.02 * iteration, 0.1) for lp in logprobs]
    values = [noise.gauss(score * 0.6, 0.3) for _ in tokens]
    new_logprobs = [min(lp + noise.gauss(0.0, 0.15), -0.01) for lp in logprobs]
    return complete(
        tokens,
        logprobs,
        ref_logprobs,
        values,
        new_logprobs,
        score=score,
        iteration=iteration,
        step=4 * iteration,
        prompt_index=prompt_index,
        prompt=f"Prompt number {prompt_index}: be polite.",
        ids=tuple(range(100, 100 + count)),
        new_values=tuple(value + noise.gauss(0.0, 0.1) for value in values),
    )


def complete(
    tokens: Sequence[str],
    logprobs: Sequence[float],
    ref_logprobs: Sequence[float],
    values: Sequence[float],
    new_logprobs: Sequence[float],
    *,
    score: float,
    **rest: Any,
) -> AnswerTrace:
    """The figures that follow from these by the rules of the classic PPO."""
    kls = [lp - ref for lp, ref in zip(logprobs, ref_logprobs, strict=True)]
    scores = [0.0] * (len(tokens) - 1) + [score]
    rewards = [-0.05 * kl + part for kl, part in zip(kls, scores, strict=True)]
    steps = zip(rewards, pairwise([*values, 0.0]), strict=True)
    deltas = [reward + after - before for reward, (before, after) in steps]
    raw = list(reversed(accumulated(reversed(deltas), decay=0.95)))
    mean, std = fmean(raw), math.sqrt(pstdev(raw) ** 2 + 1e-8)
    advantages = [(a - mean) / std for a in raw]
    ratios = [math.exp(new - old) for new, old in zip(new_logprobs, logprobs, strict=True)]
    held = [min(max(ratio, 0.8), 1.2) for ratio in ratios]
    pairs = list(zip(ratios, held, advantages, strict=True))
    return AnswerTrace(
        tokens=tokens,
        logprobs=logprobs,
        ref_logprobs=ref_logprobs,
        kls=kls,
        scores=scores,
        rewards=rewards,
        values=values,
        deltas=deltas,
        raw_advantages=raw,
        advantages=advantages,
        returns=[a + value for a, value in zip(raw, values, strict=True)],
        new_logprobs=new_logprobs,
        ratios=ratios,
        clipped=[clip * a < ratio * a for ratio, clip, a in pairs],
        policy_losses=[-min(ratio * a, clip * a) for ratio, clip, a in pairs],
        method="ppo",
        finish="end",
        score=score,
        parts={"polite": score},
        settings={**SETTINGS, "advantage_mean": mean, "advantage_std": std},
        **rest,
    )


def accumulated(deltas: Any, *, decay: float) -> list[float]:
    """a_k = delta_k + decay * a_(k-1)."""
    sums: list[float] = []
    for delta in deltas:
        sums.append(delta + decay * (sums[-1] if sums else 0.0))
    return sums


def ppo_run(iterations: int = 12, prompts: int = 2, length: int = 16) -> list[AnswerTrace]:
    """A run whose answers and scores grow."""
    answers = []
    for iteration in range(1, iterations + 1):
        for prompt_index in range(prompts):
            noise = random.Random(f"words {iteration} {prompt_index}")
            words = [noise.choice(WORDS) for _ in range(length - 1)]
            tokens = [words[0], *(f" {word}" for word in words[1:]), "<|im_end|>"]
            score = iteration / 4 + noise.gauss(0, 0.3)
            answers.append(
                ppo_answer(tokens, iteration=iteration, prompt_index=prompt_index, score=score)
            )
    return answers


def grpo_answer(tokens: Sequence[str]) -> AnswerTrace:
    """Without a critic: no values, TD errors or returns."""
    full = ppo_answer(tokens, score=1.5)
    advantage = (1.5 - 1.0) / 0.4
    return AnswerTrace(
        iteration=1,
        step=1,
        prompt_index=0,
        method="grpo",
        prompt="p",
        finish="length",
        score=1.5,
        settings={"clip": 0.2, "group_mean": 1.0, "group_std": 0.4, "kl_estimator": "k1"},
        tokens=tokens,
        logprobs=full.logprobs,
        ref_logprobs=full.ref_logprobs,
        kls=full.kls,
        advantages=[advantage] * len(tokens),
        new_logprobs=full.new_logprobs,
        ratios=full.ratios,
    )
