"""Reward-model losses and DPO, by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from luciola.objectives.preference import (
    bradley_terry,
    dpo,
    is_correct,
    plackett_luce,
    ranked_accuracy,
    ranked_bradley_terry,
)

NAN = math.nan


def softplus(value: float) -> float:
    """−log σ(−value)."""
    return math.log1p(math.exp(value))


def test_a_pair_costs_minus_log_sigmoid_of_its_lead() -> None:
    chosen, rejected = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 0.0])
    losses = bradley_terry(chosen, rejected)
    assert losses.tolist() == pytest.approx([softplus(-1.0), math.log(2)])


def test_a_margin_asks_for_a_larger_lead() -> None:
    losses = bradley_terry(torch.tensor([2.0]), torch.tensor([1.0]), margin=torch.tensor([3.0]))
    assert losses.item() == pytest.approx(softplus(2.0))


def test_centring_pulls_the_sum_of_a_pair_to_zero() -> None:
    """0.1·(2 + 1)² beside the loss; a pair around 0 pays nothing."""
    chosen, rejected = torch.tensor([2.0, 0.5]), torch.tensor([1.0, -0.5])
    plain = bradley_terry(chosen, rejected)
    centred = bradley_terry(chosen, rejected, centering=0.1)
    assert (centred - plain).tolist() == pytest.approx([0.9, 0.0])


def test_a_large_lead_neither_overflows_nor_loses_its_gradient() -> None:
    chosen = torch.tensor([-200.0, 200.0], requires_grad=True)
    losses = bradley_terry(chosen, torch.zeros(2))
    losses.sum().backward()
    assert chosen.grad is not None
    assert losses.tolist() == pytest.approx([200.0, 0.0])
    assert chosen.grad.tolist() == pytest.approx([-1.0, 0.0])


def test_a_tie_is_wrong() -> None:
    found = is_correct(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 1.0]))
    assert found.tolist() == [True, False, False]


SCORES = torch.tensor([[3.0, 1.0, 2.0], [0.0, 4.0, NAN]])
ANSWERS = torch.tensor([[True, True, True], [True, True, False]])
"""A ranking of three, best first, with its last two exchanged, and a wrong pair."""


def test_a_ranking_costs_the_mean_of_its_pairs() -> None:
    three = (softplus(-2.0) + softplus(-1.0) + softplus(1.0)) / 3
    losses = ranked_bradley_terry(SCORES, ANSWERS)
    assert losses.tolist() == pytest.approx([three, softplus(4.0)])


def test_a_ranking_of_two_costs_what_a_pair_costs() -> None:
    scores = torch.tensor([[0.3, -0.8], [1.0, 2.0]])
    mask = torch.ones(2, 2, dtype=torch.bool)
    pairs = bradley_terry(scores[:, 0], scores[:, 1], centering=0.01)
    assert torch.equal(ranked_bradley_terry(scores, mask, centering=0.01), pairs)
    losses = plackett_luce(scores, mask)
    torch.testing.assert_close(losses, bradley_terry(scores[:, 0], scores[:, 1]))


def test_ranked_accuracy_counts_pairs() -> None:
    assert ranked_accuracy(SCORES, ANSWERS).tolist() == pytest.approx([2 / 3, 0.0])
    ties = torch.zeros(1, 3)
    assert ranked_accuracy(ties, torch.ones(1, 3, dtype=torch.bool)).item() == 0.0


def test_a_whole_ranking_has_the_probability_of_choosing_its_best_again_and_again() -> None:
    first = math.exp(3) / (math.exp(3) + math.exp(1) + math.exp(2))
    second = math.exp(1) / (math.exp(1) + math.exp(2))
    losses = plackett_luce(SCORES, ANSWERS)
    assert losses.tolist() == pytest.approx([-math.log(first * second), softplus(4.0)])


def test_the_probabilities_of_all_rankings_add_up_to_one() -> None:
    orders = torch.tensor(list(itertools.permutations([0.5, -1.0, 2.0, 0.0])))
    losses = plackett_luce(orders, torch.ones_like(orders, dtype=torch.bool))
    assert (-losses).exp().sum().item() == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("loss", [ranked_bradley_terry, plackett_luce])
def test_no_gradient_reaches_the_padding_of_a_list(loss: Any) -> None:
    scores = SCORES.clone().requires_grad_()
    loss(scores, ANSWERS).sum().backward()
    assert scores.grad is not None
    assert scores.grad[1, 2].item() == 0.0
    assert scores.grad.isfinite().all()
    assert scores.grad.sum().item() == pytest.approx(0.0, abs=1e-6)


def test_a_list_of_one_has_no_ranking() -> None:
    alone = torch.tensor([[True, True, False], [True, False, False]])
    for function in (ranked_bradley_terry, ranked_accuracy, plackett_luce):
        with pytest.raises(ValueError, match=r"fewer: \[1\]"):
            function(SCORES, alone)


POLICY = (torch.tensor([-1.0, -4.0]), torch.tensor([-3.0, -2.0]))
REFERENCE = (torch.tensor([-2.0, -3.0]), torch.tensor([-2.0, -3.0]))
"""Log-ratios of the better answers 1 and −1, of the worse ones −1 and 1: h = 2 and −2."""


@pytest.mark.parametrize(
    ("kind", "beta", "smoothing", "expected"),
    [
        ("sigmoid", 0.5, 0.0, [softplus(-1.0), softplus(1.0)]),
        (
            "sigmoid",
            0.5,
            0.1,
            [
                0.9 * softplus(-1.0) + 0.1 * softplus(1.0),
                0.9 * softplus(1.0) + 0.1 * softplus(-1.0),
            ],
        ),
        ("hinge", 0.25, 0.0, [0.5, 1.5]),
        ("hinge", 1.0, 0.0, [0.0, 3.0]),
        ("ipo", 0.5, 0.0, [1.0, 9.0]),
    ],
)
def test_dpo_by_hand(kind: Any, beta: float, smoothing: float, expected: list[float]) -> None:
    result = dpo(*POLICY, *REFERENCE, beta=beta, kind=kind, label_smoothing=smoothing)
    assert result.losses.tolist() == pytest.approx(expected)
    assert result.chosen_rewards.tolist() == pytest.approx([beta, -beta])
    assert result.rejected_rewards.tolist() == pytest.approx([-beta, beta])


def test_dpo_starts_at_the_logarithm_of_two() -> None:
    assert dpo(*REFERENCE, *REFERENCE).losses.tolist() == pytest.approx([math.log(2)] * 2)


def test_dpo_raises_the_better_answer_and_leaves_the_reference_alone() -> None:
    tensors: list[Tensor] = [x.clone().requires_grad_() for x in (*POLICY, *REFERENCE)]
    result = dpo(*tensors, beta=0.5)
    result.losses.sum().backward()
    chosen, rejected, *reference = tensors
    assert chosen.grad is not None and rejected.grad is not None
    assert (chosen.grad < 0).all()
    assert (rejected.grad > 0).all()
    assert [x.grad for x in reference] == [None, None]
    assert not result.chosen_rewards.requires_grad


def test_settings_without_a_meaning_are_refused() -> None:
    with pytest.raises(ValueError, match="label_smoothing is for kind 'sigmoid'"):
        dpo(*POLICY, *REFERENCE, kind="ipo", label_smoothing=0.1)
    with pytest.raises(ValueError, match="use sigmoid, hinge or ipo"):
        dpo(*POLICY, *REFERENCE, kind="kto")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one shape"):
        bradley_terry(torch.zeros(2), torch.zeros(3))
