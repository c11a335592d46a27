"""A tiny policy with a value head, its tokenizer, and samples to learn from."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from luciola.compat.trl import AutoModelForCausalLMWithValueHead
from support import VOCABULARY, build_tokenizer

Build = Callable[..., AutoModelForCausalLMWithValueHead]


def build_gpt2(*, seed: int = 0, dropout: float = 0.1) -> GPT2LMHeadModel:
    """Two layers whose next tokens are well told apart; learned positions, and real dropout."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=64,
        n_embd=16,
        n_layer=2,
        n_head=2,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=VOCABULARY - 1,
        eos_token_id=VOCABULARY - 1,
    )
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    return model.eval()


@pytest.fixture
def build() -> Build:
    """Makes fresh policies; equal seeds give equal ones."""

    def make(*, seed: int = 0) -> AutoModelForCausalLMWithValueHead:
        model = build_gpt2(seed=seed)
        return AutoModelForCausalLMWithValueHead.from_pretrained(model)

    return make


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    """Its pad token is its end token."""
    made = build_tokenizer()
    made.pad_token = made.eos_token
    return made


@pytest.fixture
def batch() -> dict[str, list[Tensor]]:
    """Four queries and responses of unlike lengths, and their scores."""
    random = torch.Generator().manual_seed(3)

    def ids(length: int) -> Tensor:
        return torch.randint(3, VOCABULARY - 1, (length,), generator=random)

    return {
        "queries": [ids(n) for n in (3, 5, 2, 4)],
        "responses": [ids(n) for n in (4, 2, 5, 3)],
        "scores": [torch.tensor(s) for s in (1.5, -0.5, 0.25, 2.0)],
    }
