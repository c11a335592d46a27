"""Advantages as the original spreads them over the padded width, worked by loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from luciola.compat.trl import PPOConfig
from luciola.compat.trl.experience import Experience, Feedback, experience
from luciola.compat.trl.sequences import Sequences

MASK = torch.tensor([[0, 1, 1, 0, 1, 0], [1, 1, 0, 0, 0, 0]]).bool()
"""A response with a tool's token inside, and a short one."""
NUMBERS = torch.arange(12.0).view(2, 6).sin()


def made(config: PPOConfig) -> Experience:
    """Of rewards and values that differ in every cell, outside the mask too."""
    blank = torch.zeros(2, 7, dtype=torch.long)
    seen = Feedback(NUMBERS, NUMBERS, 2 * NUMBERS, NUMBERS)
    return experience(Sequences(blank, blank, MASK), seen, NUMBERS + 0.5, config)


def by_loops(rewards: Tensor, gamma: float, lam: float) -> Tensor:
    """Every column is a step; values and rewards are 0 outside the mask."""
    values = 2 * NUMBERS * MASK
    advantages = torch.zeros(2, 6)
    for row in range(2):
        following = 0.0
        for t in reversed(range(6)):
            after = float(values[row, t + 1]) if t < 5 else 0.0
            delta = float(rewards[row, t]) + gamma * after - float(values[row, t])
            following = delta + gamma * lam * following
            advantages[row, t] = following
    return advantages


def whitened(numbers: Tensor) -> Tensor:
    counted = numbers[MASK]
    return (numbers - counted.mean()) / (counted.var() + 1e-8).sqrt()


@pytest.mark.parametrize("whiten_rewards", [False, True])
def test_every_column_is_a_step_and_none_is_set_to_zero_by_whitening(
    whiten_rewards: bool,
) -> None:
    rewards = (NUMBERS + 0.5) * MASK
    if whiten_rewards:  # the scale changes and the mean stays; as in 0.11.4, padding takes part
        rewards = whitened(rewards) + rewards[MASK].mean()
    found = made(PPOConfig(gamma=0.9, lam=0.8, whiten_rewards=whiten_rewards))
    advantages = by_loops(rewards, 0.9, 0.8)
    torch.testing.assert_close(found.returns, advantages + 2 * NUMBERS * MASK)
    torch.testing.assert_close(found.advantages, whitened(advantages), rtol=1e-4, atol=1e-5)


def test_rows_are_taken_from_every_tensor() -> None:
    found = made(PPOConfig())
    one = found.rows([1])
    assert torch.equal(one.returns, found.returns[1:]) and torch.equal(one.sequences.mask, MASK[1:])
