"""Attention that plans nothing, for shapes that change from call to call."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from luciola.models.kernels import unplanned
from luciola.rollout.naive import NaiveSampler
from luciola.types import Request, Sampling


def enabled() -> bool:
    return bool(torch.backends.cuda.cudnn_sdp_enabled())


def test_cudnn_is_left_out_within_and_comes_back_after_an_error() -> None:
    before = enabled()
    with pytest.raises(ZeroDivisionError), unplanned():
        assert not enabled()
        raise ZeroDivisionError
    assert enabled() == before


def test_no_step_of_sampling_asks_cudnn() -> None:
    config = LlamaConfig(
        vocab_size=8,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    model = LlamaForCausalLM(config).eval()
    seen: list[bool] = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(enabled()))
    before = enabled()
    NaiveSampler(model, end_ids={7}).sample([Request((1, 2), sampling=Sampling(max_new_tokens=4))])
    assert len(seen) >= 2 and not any(seen)
    assert enabled() == before
