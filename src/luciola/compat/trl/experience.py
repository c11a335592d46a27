"""What one `step` learns from: log-probabilities, values, rewards, advantages, before any update.

Every number has a place in (B, L - 1): cell i belongs to token i + 1 of the sequence. Outside the
mask the original's numbers are kept too, since its statistics show them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from luciola.compat.trl.config import PPOConfig
from luciola.compat.trl.sequences import Sequences
from luciola.objectives.advantages import gae
from luciola.objectives.distributions import token_logprobs
from luciola.objectives.kl import KlKind, full_kl, kl_estimate
from luciola.objectives.statistics import whiten

KINDS: dict[str, KlKind] = {"kl": "k1", "abs": "abs", "mse": "k2"}


@dataclass(frozen=True)
class Outputs:
    """One forward pass: logits (B, L - 1, V), logprobs and values (B, L - 1), float32."""

    logits: Tensor
    logprobs: Tensor
    values: Tensor


def outputs(model: nn.Module, sequences: Sequences) -> Outputs:
    """The model in evaluation mode, so that dropout never acts, with or without gradients."""
    model.eval()
    logits, _, values = model(input_ids=sequences.ids, attention_mask=sequences.attention)
    logits = logits[:, :-1]
    logprobs = token_logprobs(logits, sequences.ids[:, 1:])
    return Outputs(logits, logprobs.float(), values[:, :-1].float())


@dataclass(frozen=True)
class Feedback:
    """Each token under the policy that chose it and under the reference; all (B, L - 1)."""

    logprobs: Tensor
    ref_logprobs: Tensor
    values: Tensor
    kls: Tensor


@dataclass(frozen=True)
class Reference:
    """The frozen policy: a model of its own, or the policy's with the adapter switched off.

    Args:
        model: returns its logits first.
        switched: entered around its forward passes.
    """

    model: nn.Module
    switched: Callable[[], AbstractContextManager[Any]]


@torch.no_grad()
def feedback(
    policy: nn.Module, reference: Reference, sequences: Sequences, config: PPOConfig
) -> Feedback:
    """Forward passes of both in chunks of mini_batch_size; no logits outlive their chunk."""
    size = config.mini_batch_size
    chunks = [sequences.rows(slice(i, i + size)) for i in range(0, len(sequences), size)]
    parts = [_feedback(policy, reference, chunk, config.kl_penalty) for chunk in chunks]
    names = [field.name for field in fields(Feedback)]
    return Feedback(**{name: torch.cat([getattr(p, name) for p in parts]) for name in names})


def _feedback(policy: nn.Module, reference: Reference, chunk: Sequences, penalty: str) -> Feedback:
    now = outputs(policy, chunk)
    with reference.switched():
        then = outputs(reference.model, chunk)
    if penalty == "full":
        kls = full_kl(now.logits, then.logits)
    else:
        kls = kl_estimate(now.logprobs, then.logprobs, KINDS[penalty])
    return Feedback(now.logprobs, then.logprobs, now.values, kls)


@dataclass(frozen=True)
class Experience:
    """The samples of one `step`, ready to learn from; all (B, L - 1) but the sequences."""

    sequences: Sequences
    logprobs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, index: Any) -> Experience:
        """Some of the samples."""
        tensors = {f.name: getattr(self, f.name)[index] for f in fields(self)[1:]}
        return Experience(sequences=self.sequences.rows(index), **tensors)


@torch.no_grad()
def experience(
    sequences: Sequences, seen: Feedback, rewards: Tensor, config: PPOConfig
) -> Experience:
    """Advantages, whitened over the tokens of all answers, and returns.

    Args:
        rewards: (B, L - 1) penalty and score of each token.
    """
    mask = sequences.mask
    rewards = rewards.masked_fill(~mask, 0.0)
    if config.whiten_rewards:
        rewards = whiten(rewards, mask, shift=False, everywhere=True)  # as 0.11: padding too
    advantages, returns = gae(
        seen.values, rewards, mask, gamma=config.gamma, lam=config.lam, every_column=True
    )
    return Experience(
        sequences=sequences,
        logprobs=seen.logprobs,
        values=seen.values.masked_fill(~mask, 0.0),
        advantages=whiten(advantages, mask, everywhere=True),
        returns=returns,
    )
