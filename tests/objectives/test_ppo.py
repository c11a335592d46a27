"""The clipped losses: numbers by hand, what padding may hold, where gradients stop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from luciola.objectives.ppo import policy_loss, ratio_is_sane, value_loss

NAN = math.nan


def ratios(*values: float) -> Tensor:
    """Log-probabilities whose ratio to 0 is that."""
    return torch.tensor([math.log(value) for value in values], requires_grad=True)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "pushes"),
    [
        (1.5, 1.0, -1.2, False),  # good and already likelier than 1 + ε: no further
        (0.5, 1.0, -0.5, True),  # good and become unlikely: back up, never clipped
        (0.5, -1.0, 0.8, False),  # bad and already unlikelier than 1 − ε: no further
        (1.5, -1.0, 1.5, True),  # bad and become likely: back down, never clipped
        (1.1, 2.0, -2.2, True),
        (0.9, -2.0, 1.8, True),
    ],
)
def test_the_four_corners_of_the_clip(
    ratio: float, advantage: float, loss: float, pushes: bool
) -> None:
    logprobs = ratios(ratio)
    objective = policy_loss(logprobs, torch.zeros(1), torch.tensor([advantage]), clip=0.2)
    objective.total.backward()
    assert logprobs.grad is not None
    assert objective.total.item() == pytest.approx(loss)
    assert objective.metrics["clip_fraction"].item() == (0 if pushes else 1)
    assert logprobs.grad.item() == pytest.approx(-ratio * advantage if pushes else 0.0)


def test_totals_and_metrics_are_sums_over_the_tokens_that_count() -> None:
    """Ratios 1.5 and 0.5 with A = 1: −1.2 − 0.5; the padded NaN is not seen."""
    logprobs = torch.tensor([[math.log(1.5), math.log(0.5), NAN]], requires_grad=True)
    old = torch.tensor([[0.0, 0.0, NAN]])
    mask = torch.tensor([[True, True, False]])
    objective = policy_loss(logprobs, old, torch.tensor([[1.0, 1.0, NAN]]), mask, clip=0.2)
    assert objective.total.item() == pytest.approx(-1.7)
    assert objective.count.item() == 2
    metrics = {name: value.item() for name, value in objective.metrics.items()}
    high, low = math.log(1.5), math.log(0.5)
    assert metrics == pytest.approx(
        {
            "clip_fraction": 1,
            "ratio": 2.0,
            "policy_kl": -high - low,
            "approx_kl": 2.0 - 2 - high - low,
            "half_squared_kl": (high**2 + low**2) / 2,
        }
    )
    assert objective.maxima["ratio"].item() == pytest.approx(1.5)
    objective.total.backward()
    assert logprobs.grad is not None
    assert logprobs.grad.flatten().tolist() == pytest.approx([0.0, -0.5, 0.0])


def test_before_the_first_update_the_ratio_is_one_and_the_gradient_the_policy_gradient() -> None:
    logprobs = torch.tensor([-1.0, -2.0], requires_grad=True)
    advantages = torch.tensor([3.0, -4.0])
    objective = policy_loss(logprobs, logprobs, advantages)
    objective.total.backward()
    assert logprobs.grad is not None
    assert objective.metrics["ratio"].item() == 2.0
    assert objective.metrics["approx_kl"].item() == 0.0
    assert objective.metrics["clip_fraction"].item() == 0
    assert logprobs.grad.tolist() == [-3.0, 4.0]


def test_no_gradient_reaches_advantages() -> None:
    advantages = torch.ones(1, requires_grad=True)
    objective = policy_loss(ratios(1.1), torch.zeros(1), advantages)
    objective.total.backward()
    assert advantages.grad is None


def test_weights_change_the_total_and_not_the_metrics() -> None:
    arguments = (ratios(0.5, 1.0), torch.zeros(2), torch.ones(2))
    weighted = policy_loss(*arguments, weights=torch.tensor([0.5, 2.0]))
    assert weighted.total.item() == pytest.approx(-0.25 - 2.0)
    assert weighted.metrics["ratio"].item() == pytest.approx(1.5)
    assert weighted.count.item() == 2


def test_a_micro_batch_without_tokens_is_a_sum_of_nothing() -> None:
    empty = torch.zeros(0, requires_grad=True)
    objective = policy_loss(empty, empty.detach(), empty.detach())
    assert objective.total.item() == 0.0
    assert objective.maxima["ratio"].item() == 0.0


def test_the_ratio_guard_stops_at_its_threshold_and_on_nan() -> None:
    assert ratio_is_sane(10.0)
    assert not ratio_is_sane(10.1)
    assert not ratio_is_sane(NAN)
    assert not ratio_is_sane(2.0, threshold=1.5)


@pytest.mark.parametrize(
    ("value", "target", "loss", "clipped", "gradient"),
    [
        (1.0, 2.0, 0.5 * 1.8**2, 1, 0.0),  # moved beyond 0.2 towards the target: no further
        (1.0, -1.0, 0.5 * 2.0**2, 0, 2.0),  # moved away: pulled back with its whole error
        (-1.0, -2.0, 0.5 * 1.8**2, 1, 0.0),
        (0.1, 2.0, 0.5 * 1.9**2, 0, -1.9),
    ],
)
def test_the_corners_of_the_value_clip(
    value: float, target: float, loss: float, clipped: int, gradient: float
) -> None:
    """The old value is 0 and ε 0.2."""
    values = torch.tensor([value], requires_grad=True)
    objective = value_loss(values, torch.zeros(1), torch.tensor([target]), clip=0.2)
    objective.total.backward()
    assert values.grad is not None
    assert objective.total.item() == pytest.approx(loss)
    assert objective.metrics["clip_fraction"].item() == clipped
    assert objective.metrics["squared_error"].item() == pytest.approx((value - target) ** 2)
    assert values.grad.item() == pytest.approx(gradient)


@pytest.mark.parametrize("clip", [None, 100.0])
def test_values_in_padding_are_not_seen(clip: float | None) -> None:
    values = torch.tensor([[1.0, NAN], [3.0, 1.0]], requires_grad=True)
    mask = torch.tensor([[True, False], [True, True]])
    old, returns = torch.tensor([[0.0, NAN], [0.0, 0.0]]), torch.tensor([[0.0, NAN], [0.0, 0.0]])
    objective = value_loss(values, old, returns, mask, clip=clip)
    objective.total.backward()
    assert values.grad is not None
    assert objective.total.item() == pytest.approx(0.5 * (1 + 9 + 1))
    assert objective.metrics["value"].item() == pytest.approx(5.0)
    assert objective.count.item() == 3
    assert values.grad.tolist() == [[1.0, 0.0], [3.0, 1.0]]


def test_no_gradient_reaches_old_values_or_returns() -> None:
    old, returns = torch.zeros(1, requires_grad=True), torch.ones(1, requires_grad=True)
    values = torch.tensor([5.0], requires_grad=True)
    value_loss(values, old, returns).total.backward()
    assert old.grad is None
    assert returns.grad is None


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    torch.manual_seed(0)
    new, old, advantages = torch.randn(3, 4, 5)
    mask = torch.rand(4, 5) < 0.6
    whole = policy_loss(new, old, advantages, mask)
    parts = [policy_loss(*(x[row] for x in (new, old, advantages, mask))) for row in range(4)]
    assert sum(part.total.item() for part in parts) == pytest.approx(whole.total.item(), rel=1e-5)
    assert sum(part.count.item() for part in parts) == whole.count.item()
    largest = max(part.maxima["ratio"].item() for part in parts)
    assert largest == whole.maxima["ratio"].item()


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(1)
    new, old, advantages = torch.randn(3, 2, 4, dtype=torch.float64)
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    new.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: policy_loss(x, old, advantages, mask).total, new)
    assert torch.autograd.gradcheck(lambda x: value_loss(x, old, advantages, mask).total, new)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"advantages \(1,\)"):
        policy_loss(torch.zeros(2), torch.zeros(2), torch.zeros(1))
