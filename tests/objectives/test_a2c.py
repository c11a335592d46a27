"""Actor-critic losses, and that one epoch of PPO has their gradient."""

from __future__ import annotations

import math

import pytest
import torch

from luciola.objectives import a2c, ppo
from luciola.objectives.distributions import entropy

NAN = math.nan
MASK = torch.tensor([[True, True, False]])


def test_the_policy_gradient_by_hand() -> None:
    """−(−1·2) − (−3·−1) = 2 − 3; the gradient is −A."""
    logprobs = torch.tensor([[-1.0, -3.0, NAN]], requires_grad=True)
    advantages = torch.tensor([[2.0, -1.0, NAN]], requires_grad=True)
    objective = a2c.policy_gradient_loss(logprobs, advantages, MASK)
    objective.total.backward()
    assert logprobs.grad is not None
    assert objective.total.item() == pytest.approx(-1.0)
    assert objective.count.item() == 2
    assert objective.metrics["logprob"].item() == pytest.approx(-4.0)
    assert logprobs.grad.tolist() == [[-2.0, 1.0, 0.0]]
    assert advantages.grad is None


def test_weights_of_tokens() -> None:
    logprobs, advantages = torch.tensor([-1.0, -1.0]), torch.ones(2)
    weights = torch.tensor([0.5, 3.0])
    loss = a2c.policy_gradient_loss(logprobs, advantages, weights=weights)
    assert loss.total.item() == pytest.approx(3.5)


def test_the_value_loss_is_half_the_squared_error() -> None:
    values = torch.tensor([[1.0, 4.0, NAN]], requires_grad=True)
    returns = torch.tensor([[3.0, 1.0, NAN]], requires_grad=True)
    objective = a2c.value_loss(values, returns, MASK)
    objective.total.backward()
    assert values.grad is not None
    assert objective.total.item() == pytest.approx((4 + 9) / 2)
    assert objective.metrics["squared_error"].item() == pytest.approx(13.0)
    assert values.grad.tolist() == [[-2.0, 3.0, 0.0]]
    assert returns.grad is None


def test_the_entropy_bonus_is_larger_the_less_decided_the_policy_is() -> None:
    logits = torch.tensor([[[0.0, 0.0], [0.0, math.log(3.0)], [NAN, NAN]]], requires_grad=True)
    entropies = entropy(logits.masked_fill(~MASK[..., None], 0.0)).masked_fill(~MASK, NAN)
    objective = a2c.entropy_bonus(entropies, MASK)
    objective.total.backward()
    assert logits.grad is not None
    quarters = -(1 / 4) * math.log(1 / 4) - (3 / 4) * math.log(3 / 4)
    assert objective.metrics["entropy"].item() == pytest.approx(math.log(2) + quarters)
    assert objective.total.item() == pytest.approx(-math.log(2) - quarters)
    assert logits.grad[0, 1, 1] > 0  # descent makes the likelier token less likely
    assert logits.grad[0, 2].tolist() == [0.0, 0.0]


def test_one_epoch_of_ppo_over_one_mini_batch_has_the_gradient_of_a2c() -> None:
    torch.manual_seed(0)
    logprobs, advantages, values, returns = torch.randn(4, 3, 5)
    mask = torch.rand(3, 5) < 0.7
    grads = []
    for policy, value in (
        (
            lambda p: a2c.policy_gradient_loss(p, advantages, mask).total,
            lambda v: a2c.value_loss(v, returns, mask).total,
        ),
        (
            lambda p: ppo.policy_loss(p, logprobs, advantages, mask).total,
            lambda v: ppo.value_loss(v, values, returns, mask).total,
        ),
    ):
        new, critic = logprobs.clone().requires_grad_(), values.clone().requires_grad_()
        (policy(new) + 0.1 * value(critic)).backward()
        grads.append((new.grad, critic.grad))
    torch.testing.assert_close(grads[0], grads[1])
