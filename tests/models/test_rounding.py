"""Steps of number types, noise of a rounding's size, and float32 arithmetic over 16-bit weights."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaForCausalLM

from luciola.models.rounding import float_step, in_float32, noisy, q8_step


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_step_is_the_distance_to_the_next_number_of_the_type(dtype: torch.dtype) -> None:
    weights = torch.tensor([1.0, 1.5, 2.0, 3.0, 0.1, 1000.0]).to(dtype)
    above = (weights.view(torch.int16) + 1).view(dtype)
    assert torch.equal(float_step(dtype)(weights.float()), above.float() - weights.float())


def test_a_step_at_zero_is_the_smallest_number_of_the_type() -> None:
    assert float_step(torch.float16)(torch.zeros(1)).item() == 2**-24


def test_steps_of_q8_follow_from_the_largest_weight_of_each_block() -> None:
    """Two blocks of 32: 127 levels up to 2.54, and up to 1.27."""
    weights = torch.ones(1, 64) * 0.5
    weights[0, 3], weights[0, 40] = -2.54, 1.27
    steps = q8_step(weights)
    assert torch.allclose(steps[0, :32], torch.tensor(0.02))
    assert torch.allclose(steps[0, 32:], torch.tensor(0.01))


def test_noise_stays_within_half_a_step_fills_it_and_can_be_repeated() -> None:
    weights, step = torch.full((1000,), 1.5), float_step(torch.bfloat16)
    moved = noisy(weights, step, "layer") - weights
    assert moved.abs().max() <= 2**-8
    assert moved.abs().max() > 0.9 * 2**-8
    assert torch.equal(noisy(weights, step, "layer"), noisy(weights, step, "layer"))
    assert not torch.equal(noisy(weights, step, "layer"), noisy(weights, step, "other"))


def test_weights_in_16_bits_are_multiplied_in_float32_and_left_as_they_were(
    llama: LlamaForCausalLM,
) -> None:
    ids = torch.arange(3, 20)[None]
    half = llama.to(torch.bfloat16).eval()
    weights = {name: value.clone() for name, value in half.state_dict().items()}
    with torch.no_grad(), in_float32(half):
        seen = half(input_ids=ids, use_cache=False).logits
    assert all(torch.equal(value, weights[name]) for name, value in half.state_dict().items())
    with torch.no_grad():
        expected = half.float()(input_ids=ids, use_cache=False).logits
    assert torch.equal(seen, expected)


def test_an_error_inside_leaves_the_weights_as_they_were(llama: LlamaForCausalLM) -> None:
    half = llama.to(torch.bfloat16)
    with pytest.raises(IndexError), in_float32(half):
        half(input_ids=torch.tensor([[10**6]]))
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}
