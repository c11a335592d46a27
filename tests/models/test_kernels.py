"""Attention that plans nothing, for shapes that change from call to call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from luciola.models.kernels import unplanned
from luciola.models.scorer import RewardCard, Scorer
from luciola.rewards.classifier import ClassifierPart
from luciola.rollout.naive import NaiveSampler
from luciola.types import Answered, Request, Sampling
from support import build_tokenizer


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


class Seeing(torch.nn.Module):
    """Scores nothing, and sees whether cuDNN would be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.config = LlamaConfig()
        self.device = self.weight.device
        self.seen: list[bool] = []

    def forward(self, batch: Any = None, **inputs: Any) -> Any:
        self.seen.append(enabled())
        rows = len(batch.rows) if batch is not None else len(inputs["input_ids"])
        return (
            torch.zeros(rows) if batch is not None else SimpleNamespace(logits=torch.zeros(rows, 2))
        )


@pytest.mark.skipif(not enabled(), reason="a GPU's run left cuDNN out before")
def test_no_reward_model_and_no_classifier_asks_cudnn() -> None:
    """Answers are of all lengths, and a server scores a few at a time."""
    model = Seeing()
    Scorer(model, build_tokenizer(), RewardCard()).score(["a", "b"], ["c", "d"])
    part = ClassifierPart(model, build_tokenizer(), 1)
    part.raw([Answered("a", "b")])
    assert model.seen == [False, False]
    assert enabled()
