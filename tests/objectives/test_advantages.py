"""Rewards per token, advantages and returns, by hand and by brute force."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from luciola.objectives.advantages import (
    discounted_returns,
    gae,
    last_token,
    one_past,
    penalize_missing_end,
    token_rewards,
)

NAN = math.nan
T, F = True, False
MASK = torch.tensor([[F, T, T, F], [T, T, T, T], [T, F, F, F]])
KLS = torch.tensor([[NAN, 1.0, 2.0, NAN], [1.0, 1.0, 1.0, 1.0], [4.0, NAN, NAN, NAN]])
SCORES = torch.tensor([10.0, 20.0, 30.0])


def test_the_score_lands_on_the_last_token_and_the_penalty_on_every_token() -> None:
    rewards = token_rewards(SCORES, KLS, MASK, 0.5)
    assert rewards.tolist() == [
        [0.0, -0.5, 9.0, 0.0],
        [-0.5, -0.5, -0.5, 19.5],
        [28.0, 0.0, 0.0, 0.0],
    ]


def test_the_score_lands_one_past_the_end_where_there_is_such_a_cell() -> None:
    rewards = token_rewards(SCORES, KLS, MASK, 0.5, one_past_the_end=True)
    assert rewards.tolist() == [
        [0.0, -0.5, -1.0, 10.0],
        [-0.5, -0.5, -0.5, 19.5],
        [-2.0, 30.0, 0.0, 0.0],
    ]
    assert one_past(MASK).tolist() == [[F, T, T, T], [T, T, T, T], [T, T, F, F]]


def test_scores_per_token_stay_at_their_own_tokens() -> None:
    scores = torch.tensor([[9.0, 1.0, 2.0, 9.0], [1.0, 2.0, 3.0, 4.0], [5.0, NAN, 9.0, 9.0]])
    rewards = token_rewards(scores, KLS, MASK, 0.0)
    assert rewards.tolist() == [[0.0, 1.0, 2.0, 0.0], [1.0, 2.0, 3.0, 4.0], [5.0, 0.0, 0.0, 0.0]]


def test_the_penalty_everywhere_reaches_the_prompt_too() -> None:
    kls = KLS.nan_to_num(8.0)
    rewards = token_rewards(SCORES, kls, MASK, 0.5, everywhere=True)
    assert rewards[0].tolist() == [-4.0, -0.5, 9.0, -4.0]


def test_an_answer_without_a_token_cannot_take_a_score() -> None:
    with pytest.raises(ValueError, match=r"rows \[1\]"):
        last_token(torch.tensor([[T, F], [F, F]]))


def test_scores_of_another_batch_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scores are \(B,\) or \(B, T\)"):
        token_rewards(SCORES[:2], KLS, MASK, 0.1)


def test_the_last_token_may_lie_behind_a_gap() -> None:
    assert last_token(torch.tensor([[T, F, T, F]])).tolist() == [2]


def test_answers_without_an_end_pay_the_penalty() -> None:
    ended = torch.tensor([T, F, T])
    assert penalize_missing_end(SCORES, ended, 1.5).tolist() == [10.0, 18.5, 30.0]


def brute_force(values: list[float], rewards: list[float], gamma: float, lam: float) -> list[float]:
    """Σ_l (γλ)^l δ_{t+l}, straight from the paper."""
    following = [*values[1:], 0.0]
    deltas = [
        reward + gamma * after - value
        for reward, after, value in zip(rewards, following, values, strict=True)
    ]
    return [
        sum((gamma * lam) ** (index - t) * deltas[index] for index in range(t, len(deltas)))
        for t in range(len(deltas))
    ]


def made(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Values, rewards and a mask with a prompt, padding and a gap; NaN where nothing counts."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.tensor([[F, F, T, T, F, T, F], [T, T, T, T, T, T, T], [T, T, F, F, F, F, F]])
    values, rewards = torch.randn(2, 3, 7, generator=generator, dtype=torch.float64)
    return values.masked_fill(~mask, NAN), rewards.masked_fill(~mask, NAN), mask


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.5), (0.99, 0.0), (0.8, 1.0)])
def test_advantages_are_the_discounted_sum_of_differences_over_the_tokens_that_count(
    gamma: float, lam: float
) -> None:
    values, rewards, mask = made()
    advantages, returns = gae(values, rewards, mask, gamma=gamma, lam=lam)
    for row in range(len(mask)):
        keep = mask[row]
        expected = brute_force(values[row][keep].tolist(), rewards[row][keep].tolist(), gamma, lam)
        assert advantages[row][keep].tolist() == pytest.approx(expected)
        assert (returns - advantages)[row][keep].tolist() == pytest.approx(
            values[row][keep].tolist()
        )
    assert not advantages[~mask].any()
    assert not returns[~mask].any()


def test_advantages_by_hand() -> None:
    """γ = 1, λ = ½: δ = (0 + 2 − 1, 3 − 2) = (1, 1), A = (1 + ½, 1), returns (2.5, 3)."""
    advantages, returns = gae(
        torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 3.0]]), gamma=1.0, lam=0.5
    )
    assert advantages.tolist() == [[1.5, 1.0]]
    assert returns.tolist() == [[2.5, 3.0]]


def test_every_column_as_a_step_reaches_cells_before_the_answer() -> None:
    """γλ = ½; the value of column 0 is 0, its reward 0, and A₀ = V₁ + ½·A₁ = 1 + ½·(5 − 1)."""
    mask = torch.tensor([[F, T]])
    values, rewards = torch.tensor([[7.0, 1.0]]), torch.tensor([[0.0, 5.0]])
    advantages, _ = gae(values, rewards, mask, gamma=1.0, lam=0.5, every_column=True)
    assert advantages.tolist() == [[3.0, 4.0]]
    advantages, _ = gae(values, rewards, mask, gamma=1.0, lam=0.5)
    assert advantages.tolist() == [[0.0, 4.0]]


def test_what_padding_holds_never_changes_an_advantage() -> None:
    values, rewards, mask = made()
    expected = gae(values, rewards, mask)
    filled = gae(values.nan_to_num(1e9), rewards.nan_to_num(-1e9), mask)
    assert torch.equal(expected[0], filled[0])
    assert torch.equal(expected[1], filled[1])


def test_no_gradient_flows_through_advantages() -> None:
    values = torch.zeros(1, 2, requires_grad=True)
    advantages, returns = gae(values, torch.ones(1, 2))
    assert not advantages.requires_grad
    assert not returns.requires_grad


def test_discounted_returns_by_hand() -> None:
    """γ = ½ over the tokens 8, 4, 2 and a gap that is no step: 8 + 2 + ½, 4 + 1, 2."""
    mask = torch.tensor([[T, F, T, T]])
    rewards = torch.tensor([[8.0, NAN, 4.0, 2.0]])
    assert discounted_returns(rewards, mask, gamma=0.5).tolist() == [[10.5, 0.0, 5.0, 2.0]]
