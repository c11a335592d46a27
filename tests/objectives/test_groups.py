"""Advantages from groups, by hand and by brute force, and the weights of tokens."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
import torch

from luciola.objectives.groups import (
    grpo_advantages,
    reinforce_plus_plus,
    rloo_advantages,
    token_weights,
    total_weight,
)

SCORES = [1.0, 10.0, 2.0, 5.0, 6.0, 5.0, 7.0]
GROUPS = [4, 9, 4, 7, 4, 7, 2]
"""Group 4 has 1, 2 and 6 (mean 3, unbiased std √7); 7 has twice 5; 9 and 2 are alone."""


def test_grpo_divides_by_the_groups_unbiased_deviation() -> None:
    found = grpo_advantages(torch.tensor(SCORES), torch.tensor(GROUPS)).tolist()
    std = math.sqrt(7) + 1e-4
    assert found == pytest.approx([-2 / std, 0, -1 / std, 0, 3 / std, 0, 0])


def test_grpo_without_deviation_only_subtracts_the_mean() -> None:
    found = grpo_advantages(torch.tensor(SCORES), torch.tensor(GROUPS), scale=False)
    assert found.tolist() == pytest.approx([-2, 0, -1, 0, 3, 0, 0])


def test_rloo_subtracts_the_mean_of_the_others() -> None:
    """1 − (2 + 6)/2, 2 − (1 + 6)/2, 6 − (1 + 2)/2."""
    found = rloo_advantages(torch.tensor(SCORES), torch.tensor(GROUPS)).tolist()
    assert found == pytest.approx([-3, 0, -1.5, 0, 4.5, 0, 0])


def test_groups_of_one_size_by_brute_force() -> None:
    scores = torch.randn(5, 4, dtype=torch.float64)
    grpo, rloo = grpo_advantages(scores), rloo_advantages(scores)
    for row in range(5):
        values = scores[row].tolist()
        mean, std = statistics.mean(values), statistics.stdev(values)
        for column, value in enumerate(values):
            others = [other for index, other in enumerate(values) if index != column]
            assert grpo[row, column].item() == pytest.approx((value - mean) / (std + 1e-4))
            assert rloo[row, column].item() == pytest.approx(value - statistics.mean(others))


@pytest.mark.parametrize("advantages", [grpo_advantages, rloo_advantages])
def test_equal_scores_give_exactly_nothing(advantages: Any) -> None:
    """The mean of three times 0.7 is not 0.7 in binary; the difference must not be blown up, nor
    where another group has other scores.
    """
    scores = torch.tensor([[0.7] * 3, [0.1] * 3], dtype=torch.float64)
    assert advantages(scores).tolist() == [[0.0] * 3] * 2
    assert advantages(torch.tensor([[0.7]])).tolist() == [[0.0]]


@pytest.mark.parametrize("advantages", [grpo_advantages, rloo_advantages])
def test_the_order_of_the_answers_never_matters(advantages: Any) -> None:
    scores, groups = torch.tensor(SCORES), torch.tensor(GROUPS)
    order = torch.tensor([3, 0, 6, 5, 2, 1, 4])
    torch.testing.assert_close(
        advantages(scores[order], groups[order]), advantages(scores, groups)[order]
    )


def test_scores_without_groups_need_a_row_per_group() -> None:
    with pytest.raises(ValueError, match=r"are \(G, n\), got \(7,\)"):
        grpo_advantages(torch.tensor(SCORES))


T, F = True, False
MASK = torch.tensor([[T, T, T, F], [T, F, F, F], [F, F, F, F]])


def test_reinforce_plus_plus_whitens_returns_over_all_tokens() -> None:
    """Returns 3, 2, 2 and −1: mean 1.5, squared differences 2.25 + 0.25·2 + 6.25 = 9, over 3."""
    rewards = torch.tensor([[1.0, 0.0, 2.0, 9.0], [-1.0, 9.0, 9.0, 9.0], [9.0] * 4])
    found = reinforce_plus_plus(rewards, MASK)
    std = math.sqrt(3)
    assert found.flatten().tolist() == pytest.approx(
        [1.5 / std, 0.5 / std, 0.5 / std, 0, -2.5 / std, *[0] * 7]
    )
    biased = reinforce_plus_plus(rewards, MASK, unbiased=False)
    assert biased[0, 0].item() == pytest.approx(1.5 / 1.5)


def test_a_discount_makes_early_tokens_earn_less() -> None:
    """γ = ½: 2 + ½·0 + … = ½, 1, 2 for a score of 2 at the end."""
    rewards = torch.tensor([[0.0, 0.0, 2.0]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    found = reinforce_plus_plus(rewards, mask, gamma=0.5)
    values = [0.5, 1.0, 2.0]
    mean, std = statistics.mean(values), statistics.stdev(values)
    assert found[0].tolist() == pytest.approx([(value - mean) / std for value in values])


def test_token_level_counts_every_token_alike() -> None:
    assert token_weights(MASK, "token").tolist() == MASK.float().tolist()
    assert total_weight(MASK, "token").item() == 4


def test_sequence_level_counts_every_answer_alike() -> None:
    """An answer of nothing counts for nothing, and is not divided by."""
    weights = token_weights(MASK, "sequence")
    assert weights[0].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert weights[1:].tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]
    assert total_weight(MASK, "sequence").item() == 2


def test_constant_level_divides_by_the_longest_that_is_allowed() -> None:
    weights = token_weights(MASK, "constant", length=8)
    assert weights.tolist() == (MASK / 8).tolist()
    assert total_weight(MASK, "constant").item() == 2
    with pytest.raises(ValueError, match="needs length"):
        token_weights(MASK, "constant")


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="use token, sequence or constant"):
        token_weights(MASK, "batch")  # type: ignore[arg-type]
