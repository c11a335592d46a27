"""From scores to what each token did: rewards per token, advantages, returns.

Everything is (B, T) with a bool mask, True on the tokens that the policy chose. A token outside
the mask (the prompt, padding, a tool's output) is not a step of the episode: it contributes
nothing and comes out 0. Nothing here carries a gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from luciola.objectives.objective import cells


@torch.no_grad()
def token_rewards(
    scores: Tensor,
    kls: Tensor,
    mask: Tensor,
    coefficient: float,
    *,
    one_past_the_end: bool = False,
    everywhere: bool = False,
) -> Tensor:
    """r_t = −β·kl_t, plus the answer's score at its last token.

    Args:
        scores: (B,) one per answer, or (B, T) one per token, each at its own token.
        kls: (B, T) KL estimate of each token, in nats.
        mask: (B, T) bool.
        coefficient: β.
        one_past_the_end: a score per answer goes to the cell after the last token where there is
            one, as in TRL's last PPO; the values must then count under `one_past(mask)`.
        everywhere: penalise the cells outside the mask too, as TRL 0.11 does (and masks later).

    Returns: (B, T) rewards.
    Raises: ValueError if shapes do not fit, or an answer with a score has no token.
    """
    counted = cells(mask, kls=kls)
    rewards = -coefficient * (kls if everywhere else kls.masked_fill(~counted, 0.0))
    if scores.shape == mask.shape:
        return rewards + scores.masked_fill(~counted, 0.0)
    if scores.shape != mask.shape[:1]:
        raise ValueError(f"scores are (B,) or (B, T), got {tuple(scores.shape)} for {mask.shape}")
    position = last_token(mask)
    if one_past_the_end:
        position = (position + 1).clamp(max=mask.shape[1] - 1)
    return rewards.scatter_add(1, position[:, None], scores[:, None].to(rewards.dtype))


def last_token(mask: Tensor) -> Tensor:
    """(B,) index of the last True of each row.

    Raises: ValueError if a row has none.
    """
    empty = (~mask.any(1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(f"answers without a token have no place for a score: rows {empty}")
    return mask.shape[1] - 1 - mask.flip(1).int().argmax(1)


def one_past(mask: Tensor) -> Tensor:
    """The (B, T) mask with the cell after each row's last token added, where there is one."""
    after = (last_token(mask) + 1).clamp(max=mask.shape[1] - 1)
    return mask.scatter(1, after[:, None], True)


def penalize_missing_end(scores: Tensor, ended: Tensor, penalty: float) -> Tensor:
    """Scores (B,) minus `penalty` where the answer has no end token (`ended` False)."""
    return torch.where(ended, scores, scores - penalty)


@torch.no_grad()
def gae(
    values: Tensor,
    rewards: Tensor,
    mask: Tensor | None = None,
    *,
    gamma: float = 1.0,
    lam: float = 0.95,
    every_column: bool = False,
) -> tuple[Tensor, Tensor]:
    """A_t = δ_t + γλ·A_{t+1} with δ_t = r_t + γ·V_{t+1} − V_t; after the last token all is 0.

    t runs over the tokens of the mask: what lies between two of them is skipped. Source: Schulman
    et al. 2015, eq. 16, https://arxiv.org/abs/1506.02438.

    Args:
        values: (B, T) value of the state before each token.
        rewards: (B, T) reward of each token.
        mask: (B, T) bool; None: every cell is a token, as in trlx.
        gamma: discount per token.
        lam: λ: 0 is one-step temporal difference, 1 is Monte Carlo.
        every_column: as TRL 0.11: every column is a step, also before, between and after the
            tokens, with a value of 0 outside the mask and the reward that it is given.

    Returns: advantages and returns (advantage + value), both (B, T), not whitened.
    """
    mask = cells(mask, values=values, rewards=rewards)
    steps = torch.ones_like(mask) if every_column else mask
    values = values.masked_fill(~mask, 0.0)
    advantages = torch.zeros_like(values)
    next_value = next_advantage = values.new_zeros(values.shape[0])
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        advantages[:, t] = torch.where(steps[:, t], delta + gamma * lam * next_advantage, 0.0)
        next_advantage = torch.where(steps[:, t], advantages[:, t], next_advantage)
        next_value = torch.where(steps[:, t], values[:, t], next_value)
    return advantages, advantages + values


def discounted_returns(
    rewards: Tensor, mask: Tensor | None = None, *, gamma: float = 1.0
) -> Tensor:
    """G_t = r_t + γ·G_{t+1}: (B, T) return of every token of the mask, 0 elsewhere."""
    return gae(torch.zeros_like(rewards), rewards, mask, gamma=gamma, lam=1.0)[0]
