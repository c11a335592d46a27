"""KL estimates, whole KL, and the controllers of its coefficient."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from luciola.objectives.kl import AdaptiveKl, FixedKl, KlController, full_kl, kl_estimate

POLICY = torch.tensor([-1.0, -2.0])
REFERENCE = torch.tensor([-1.5, -1.0])
"""log π − log π_ref is 0.5 and −1."""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("k1", [0.5, -1.0]),
        ("k2", [0.125, 0.5]),
        ("k3", [math.exp(-0.5) - 0.5, math.e - 2]),
        ("abs", [0.5, 1.0]),
    ],
)
def test_estimates_by_hand(kind: Any, expected: list[float]) -> None:
    assert kl_estimate(POLICY, REFERENCE, kind).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["k1", "k3"])
def test_unbiased_estimates_have_the_whole_kl_as_their_mean_under_the_policy(kind: Any) -> None:
    policy = F.log_softmax(torch.randn(7, dtype=torch.float64), dim=0)
    reference = F.log_softmax(torch.randn(7, dtype=torch.float64), dim=0)
    mean = (policy.exp() * kl_estimate(policy, reference, kind)).sum()
    assert mean.item() == pytest.approx(full_kl(policy, reference).item())


def test_the_whole_kl_by_hand_goes_from_policy_to_reference() -> None:
    """p = (3/4, 1/4) against q = (1/2, 1/2): ¾ log 3/2 + ¼ log ½; logits may be shifted."""
    policy = torch.tensor([math.log(3.0), 0.0]) + 5
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert full_kl(policy, torch.zeros(2)).item() == pytest.approx(expected, rel=1e-5)
    backwards = 0.5 * math.log(2 / 3) + 0.5 * math.log(2)
    assert full_kl(torch.zeros(2), policy).item() == pytest.approx(backwards, rel=1e-5)


def test_a_token_that_neither_can_choose_adds_nothing_to_the_whole_kl() -> None:
    logits = torch.tensor([0.0, 1.0, -math.inf])
    assert full_kl(logits, logits).item() == 0.0


def test_equal_policies_have_no_kl() -> None:
    for kind in ("k1", "k2", "k3", "abs"):
        assert kl_estimate(POLICY, POLICY, kind).tolist() == [0.0, 0.0]


def test_an_unknown_estimate_is_refused() -> None:
    with pytest.raises(ValueError, match="use k1, k2, k3 or abs"):
        kl_estimate(POLICY, REFERENCE, "k4")  # type: ignore[arg-type]


def test_an_adaptive_coefficient_follows_the_error_and_no_more_than_a_fifth() -> None:
    """KL 6.6 of 6 is an error of 0.1; 12 is one of 1, answered as 0.2; 0 as −0.2."""
    controller = AdaptiveKl(0.5, target=6.0, horizon=1000)
    assert controller.updated(6.6, 100).coefficient == pytest.approx(0.5 * 1.01)
    assert controller.updated(12.0, 100).coefficient == pytest.approx(0.5 * 1.02)
    assert controller.updated(0.0, 100).coefficient == pytest.approx(0.5 * 0.98)
    twice = controller.updated(12.0, 100).updated(12.0, 100)
    assert twice.coefficient == pytest.approx(0.5 * 1.02**2)


def test_a_fixed_coefficient_stays() -> None:
    controller: KlController = FixedKl(0.3)
    assert controller.updated(100.0, 256).coefficient == 0.3


def test_a_controller_without_a_target_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        AdaptiveKl(target=0.0)
