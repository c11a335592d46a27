"""The original's statistics, under its names and with its numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from luciola.compat.trl.experience import Experience, Feedback, Outputs
from luciola.objectives.distributions import entropy
from luciola.objectives.objective import Objective
from luciola.objectives.statistics import masked_mean, masked_variance

log = logging.getLogger(__name__)


@torch.no_grad()
def of_mini_batch(
    batch: Experience, now: Outputs, policy: Objective, value: Objective, *, losses: Tensor
) -> dict[str, Tensor]:
    """Figures of one forward pass of the update.

    Args:
        policy, value: the losses, with their own figures.
        losses: (3,) policy, value and total, as they entered the gradient.
    """
    mask = batch.sequences.mask
    means, errors = policy.means(), value.means()
    return {
        "loss/policy": losses[0],
        "loss/value": losses[1],
        "loss/total": losses[2],
        "policy/entropy": masked_mean(entropy(now.logits), mask),
        "policy/approxkl": means["half_squared_kl"],
        "policy/policykl": means["policy_kl"],
        "policy/clipfrac": means["clip_fraction"],
        "policy/advantages": batch.advantages,
        "policy/advantages_mean": masked_mean(batch.advantages, mask),
        "policy/ratio": (now.logprobs - batch.logprobs).exp(),
        "returns/mean": masked_mean(batch.returns, mask),
        "returns/var": variance(batch.returns, mask),
        "val/vpred": errors["value"],
        "val/error": errors["squared_error"],
        "val/clipfrac": errors["clip_fraction"],
        "val/mean": masked_mean(batch.values, mask),
        "val/var": variance(batch.values, mask),
    }


def variance(values: Tensor, mask: Tensor) -> Tensor:
    """The unbiased variance of what counts; NaN of a single value, which stops no training."""
    if int(mask.sum()) < 2:
        return values.new_tensor(float("nan"))
    return masked_variance(values, mask)


def of_update(mini_batches: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Means over all mini-batches and epochs; of advantages and ratios every single one."""
    found = {}
    for name in mini_batches[0]:
        values = torch.stack([stats[name].float() for stats in mini_batches])
        kept = name in ("policy/advantages", "policy/ratio")
        found[f"ppo/{name}"] = values.flatten() if kept else values.mean(0)
    found["ppo/val/var_explained"] = 1 - found["ppo/val/error"] / found["ppo/returns/var"]
    return found


def of_samples(
    seen: Feedback, mask: Tensor, scores: Tensor, *, coefficient: float
) -> dict[str, Any]:
    """Figures of the answers before the update.

    Args:
        mask: (B, L - 1) bool, True on the tokens of the answers.
        scores: (B,) as they entered the rewards.
        coefficient: of the KL penalty in these rewards.
    """
    kls = seen.kls.masked_fill(~mask, 0.0).sum(1)
    surprise = (-seen.logprobs).masked_fill(~mask, 0.0).sum(1)
    return {
        "objective/kl": kls.mean(),
        "objective/kl_dist": kls,
        "objective/logprobs": seen.logprobs,
        "objective/ref_logprobs": seen.ref_logprobs,
        "objective/kl_coef": coefficient,
        "objective/entropy": surprise.mean(),
        "ppo/mean_non_score_reward": masked_mean(-coefficient * seen.kls, mask),
        "ppo/mean_scores": scores.mean(),
        "ppo/std_scores": deviation(scores),
    }


def of_lengths(queries: Sequence[Tensor], responses: Sequence[Tensor]) -> dict[str, Any]:
    """Tokens of the queries and of the responses."""
    found: dict[str, Any] = {}
    for name, texts in (("queries", queries), ("responses", responses)):
        lengths = torch.tensor([len(text) for text in texts], dtype=torch.float32)
        found[f"tokens/{name}_len_mean"] = lengths.mean()
        found[f"tokens/{name}_len_std"] = deviation(lengths)
        found[f"tokens/{name}_dist"] = lengths
    return found


def with_rewards(
    stats: Mapping[str, Any],
    batch: Mapping[str, Any],
    rewards: Sequence[Tensor] | Tensor,
    columns: Sequence[str],
) -> dict[str, Any]:
    """A step's statistics with those of its rewards, and its texts where all columns are there."""
    values = torch.as_tensor([float(reward) for reward in rewards])
    logs: dict[str, Any] = dict(stats)
    texts = [list(batch[name]) for name in columns if name in batch]
    if len(texts) == len(columns):
        logs["game_log"] = [list(row) for row in zip(*texts, values.tolist(), strict=True)]
    logs["env/reward_mean"] = float(values.mean())
    logs["env/reward_std"] = float(deviation(values))
    logs["env/reward_dist"] = values.numpy()
    return logs


def deviation(values: Tensor) -> Tensor:
    """The unbiased standard deviation; NaN of a single value."""
    return values.std() if values.numel() > 1 else values.new_tensor(float("nan"))


def plain(stats: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as floats, everything larger as numpy arrays."""
    return {name: _plain(value) for name, value in stats.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach().float().cpu().numpy()
    if isinstance(value, np.ndarray):
        return float(value.item()) if value.size == 1 and value.ndim < 2 else value
    return float(value)


def warn_of_negative_kl(kl: float) -> None:
    """Answers that the reference finds likelier than the policy that made them: something is off.

    Args:
        kl: mean over the answers, in nats.
    """
    if kl < -1.0:
        log.warning(
            "the mean KL is %.2f, and below -1 it is no chance: the answers were not sampled from "
            "the distribution that is scored. Sample with do_sample=True, top_k=0, top_p=1.0, "
            "min_length=-1, temperature 1 and no repetition penalty.",
            kl,
        )
