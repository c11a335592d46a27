"""Advantages without a critic: other answers to the same prompt, or the batch, are the baseline.

Groups are given as (B,) ids, in any order, or the scores as (G, n) with a group per row. All of a
group must be there: over several processes gather the scores first. Nothing here carries a
gradient.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from luciola.objectives.advantages import discounted_returns
from luciola.objectives.objective import cells
from luciola.objectives.statistics import whiten

GROUP_EPSILON = 1e-4
"""Added to a group's standard deviation, as in TRL."""

Level = Literal["token", "sequence", "constant"]


@torch.no_grad()
def grpo_advantages(scores: Tensor, groups: Tensor | None = None, *, scale: bool = True) -> Tensor:
    """(s − mean of the group) / (unbiased std of the group + 1e-4).

    Source: Shao et al. 2024, §4.1.2, https://arxiv.org/abs/2402.03300; without the division:
    Liu et al. 2025 (Dr. GRPO), https://arxiv.org/abs/2503.20783.

    Args:
        scores: (B,), or (G, n).
        groups: (B,) int64 ids; None: the rows of (G, n).
        scale: False: do not divide by the standard deviation.

    Returns: the shape of `scores`; 0 in a group of one, or whose scores are all equal.
    Raises: ValueError if the shapes do not fit.
    """
    flat, same = _members(scores, groups)
    count = same.sum(1)
    centred = _from_mean(flat, same)
    if scale:
        squares = same @ centred.square()  # every member holds its own difference from the mean
        std = (squares / (count - 1).clamp(min=1)).sqrt()
        centred = centred / (std + GROUP_EPSILON)
    return centred.to(scores.dtype).view(scores.shape)


@torch.no_grad()
def rloo_advantages(scores: Tensor, groups: Tensor | None = None) -> Tensor:
    """s − mean of the other scores of the group (REINFORCE leave-one-out).

    Source: Kool et al. 2019; Ahmadian et al. 2024, eq. 9, https://arxiv.org/abs/2402.14740.

    Args:
        scores: (B,), or (G, n).
        groups: (B,) int64 ids; None: the rows of (G, n).

    Returns: the shape of `scores`; 0 in a group of one, which has no others, or whose scores are
        all equal.
    Raises: ValueError if the shapes do not fit.
    """
    flat, same = _members(scores, groups)
    count = same.sum(1)
    advantages = _from_mean(flat, same) * count / (count - 1).clamp(min=1)
    return advantages.to(scores.dtype).view(scores.shape)


def _members(scores: Tensor, groups: Tensor | None) -> tuple[Tensor, Tensor]:
    """Scores as (B,) float64, and (B, B) float64: 1 where two belong to one group."""
    if groups is None:
        if scores.ndim != 2:
            raise ValueError(f"scores without group ids are (G, n), got {tuple(scores.shape)}")
        groups = torch.arange(len(scores), device=scores.device)[:, None].expand_as(scores)
    cells(None, scores=scores, groups=groups)
    ids = groups.flatten()
    return scores.flatten().double(), (ids[:, None] == ids[None, :]).double()


def _from_mean(flat: Tensor, same: Tensor) -> Tensor:
    """Each score minus its group's mean; exactly 0 where all of a group are equal."""
    centred = flat - same @ flat / same.sum(1)
    differs = ((flat[:, None] != flat[None, :]) & same.bool()).any(1)
    return centred.masked_fill(~differs, 0.0)


@torch.no_grad()
def reinforce_plus_plus(
    rewards: Tensor, mask: Tensor, *, gamma: float = 1.0, unbiased: bool = True
) -> Tensor:
    """Returns of every token, whitened over all tokens of the batch.

    Source: Hu 2025 (REINFORCE++), https://arxiv.org/abs/2501.03262.

    Args:
        rewards: (B, T) from `advantages.token_rewards`, the KL penalty included.
        mask: (B, T) bool.
        gamma: discount per token.
        unbiased: which variance; see `statistics.whiten`.

    Returns: (B, T), 0 outside the mask.
    Raises: ValueError if fewer than two tokens count.
    """
    return whiten(discounted_returns(rewards, mask, gamma=gamma), mask, unbiased=unbiased)


def token_weights(mask: Tensor, level: Level = "token", *, length: int | None = None) -> Tensor:
    """The factor of each token in a loss that is divided by `total_weight` of the whole batch.

    Args:
        mask: (B, T) bool.
        level: "token": every token of the batch counts alike (DAPO, https://arxiv.org/abs/2503.14476);
            "sequence": every answer counts alike, 1 / its length per token (GRPO); "constant":
            1 / `length` per token, whatever the answer's length (Dr. GRPO).
        length: tokens, for "constant": the longest answer that the run allows.

    Returns: (B, T) float32, 0 outside the mask.
    Raises: ValueError if `length` is missing, or the level unknown.
    """
    weights = cells(mask).float()
    if level == "token":
        return weights
    if level == "sequence":
        return weights / mask.sum(1, keepdim=True).clamp(min=1)
    if level == "constant":
        if not length or length < 1:
            raise ValueError("the level 'constant' needs length, the longest answer in tokens")
        return weights / length
    raise ValueError(f"unknown level {level!r}: use token, sequence or constant")


def total_weight(mask: Tensor, level: Level = "token") -> Tensor:
    """What a weighted sum is divided by: the tokens, or else the answers that have any."""
    return mask.sum() if level == "token" else mask.any(1).sum()
