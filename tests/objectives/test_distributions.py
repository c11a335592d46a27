"""Log-probabilities and entropy."""

from __future__ import annotations

import math

import pytest
import torch

from luciola.objectives.distributions import entropy, token_logprobs

LOGITS = torch.tensor([[[0.0, math.log(3.0)], [math.log(2.0), math.log(2.0)]]])
"""Probabilities 1/4 and 3/4, then 1/2 and 1/2."""


def test_logprobs_are_those_of_the_token_that_was_chosen() -> None:
    found = token_logprobs(LOGITS, torch.tensor([[1, 0]]))
    assert found.flatten().tolist() == pytest.approx([math.log(3 / 4), math.log(1 / 2)])


def test_logprobs_at_a_temperature_divide_the_logits_first() -> None:
    """At temperature 2 the odds 1 : 3 become 1 : √3."""
    found = token_logprobs(LOGITS, torch.tensor([[0, 0]]), temperature=2.0)
    assert found[0, 0].item() == pytest.approx(-math.log(1 + math.sqrt(3)))


def test_logits_and_ids_must_fit() -> None:
    with pytest.raises(ValueError, match="logits"):
        token_logprobs(LOGITS, torch.tensor([1, 0]))


def test_entropy_of_quarters_and_of_a_coin() -> None:
    quarters = -(1 / 4) * math.log(1 / 4) - (3 / 4) * math.log(3 / 4)
    assert entropy(LOGITS).flatten().tolist() == pytest.approx([quarters, math.log(2)])


def test_a_forbidden_token_adds_nothing_to_entropy_and_has_a_finite_gradient() -> None:
    logits = torch.tensor([0.0, 0.0, -math.inf], requires_grad=True)
    found = entropy(logits)
    found.backward()
    assert found.item() == pytest.approx(math.log(2))
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_gradients_are_those_of_finite_differences() -> None:
    logits = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    ids = torch.tensor([[0, 4, 2], [1, 1, 3]])
    assert torch.autograd.gradcheck(entropy, logits)
    assert torch.autograd.gradcheck(lambda z: token_logprobs(z, ids, temperature=0.7), logits)
