"""How far the policy has moved from the reference, and how strongly that is penalised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from luciola.objectives.objective import cells

KlKind = Literal["k1", "k2", "k3", "abs"]

STEP_LIMIT = 0.2
"""Largest relative error that an adaptive controller answers to (Ziegler et al. 2019, §2.2)."""


def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor, kind: KlKind = "k1") -> Tensor:
    """Estimates of KL(policy | reference) from single sampled tokens, in nats.

    With d = log π − log π_ref (http://joschu.net/blog/kl-approx.html): k1 is d, unbiased, and may
    be negative; k2 is d²/2; k3 is exp(−d) − 1 + d, unbiased and never negative; abs is |d|.
    trlx reports exp(d) − 1 − d, which is k3 with the two arguments exchanged.

    Args:
        logprobs: any shape, of the sampled tokens under the policy. Carries the gradient.
        reference_logprobs: the same tokens under the reference, at the same temperature.
        kind: which estimate.

    Returns: one estimate per cell; padding is not masked.
    Raises: ValueError if the shapes differ or the kind is unknown.
    """
    cells(None, logprobs=logprobs, reference_logprobs=reference_logprobs)
    difference = logprobs - reference_logprobs
    if kind == "k1":
        return difference
    if kind == "k2":
        return difference.square() / 2
    if kind == "k3":
        return torch.expm1(-difference) + difference
    if kind == "abs":
        return difference.abs()
    raise ValueError(f"unknown KL estimate {kind!r}: use k1, k2, k3 or abs")


def full_kl(logits: Tensor, reference_logits: Tensor) -> Tensor:
    """Σ_v π(v)·(log π(v) − log π_ref(v)) over the whole vocabulary, in nats.

    Args:
        logits: (..., V) of the policy, or its log-probabilities. Carries the gradient.
        reference_logits: (..., V) of the reference.

    Returns: (...); a token that the policy cannot choose (−inf) adds nothing.
    Raises: ValueError if the shapes differ.
    """
    cells(None, logits=logits, reference_logits=reference_logits)
    return kl_of(F.log_softmax(logits, dim=-1), F.log_softmax(reference_logits, dim=-1))


def kl_of(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """The same of log-probabilities (..., V)."""
    probabilities = logprobs.exp()
    difference = logprobs - reference_logprobs
    return (probabilities * difference.masked_fill(probabilities == 0, 0.0)).sum(-1)


class KlController(Protocol):
    """The weight of the KL penalty, and how it follows the KL that was measured."""

    @property
    def coefficient(self) -> float: ...

    def updated(self, kl: float, count: int) -> Self: ...


@dataclass(frozen=True)
class FixedKl:
    """A coefficient that stays."""

    coefficient: float = 0.2

    def updated(self, kl: float, count: int) -> Self:
        """The same controller."""
        return self


@dataclass(frozen=True)
class AdaptiveKl:
    """β ← β·(1 + clip(kl / target − 1, ±0.2)·count / horizon).

    Source: Ziegler et al. 2019, §2.2, https://arxiv.org/abs/1909.08593. Defaults as in TRL 0.11.

    Args:
        coefficient: β as it is now.
        target: nats per answer: the mean over answers of the sum over their tokens.
        horizon: answers over which β follows.

    Raises: ValueError if target or horizon is not positive.
    """

    coefficient: float = 0.2
    target: float = 6.0
    horizon: float = 10_000

    def __post_init__(self) -> None:
        if self.target <= 0 or self.horizon <= 0:
            got = f"{self.target} and {self.horizon}"
            raise ValueError(f"target and horizon of an adaptive KL must be positive, got {got}")

    def updated(self, kl: float, count: int) -> Self:
        """The controller after `count` answers whose mean KL was `kl` nats."""
        error = min(max(kl / self.target - 1, -STEP_LIMIT), STEP_LIMIT)
        return replace(self, coefficient=self.coefficient * (1 + error * count / self.horizon))
