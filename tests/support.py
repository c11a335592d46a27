"""Small real models, built in code, that tests of several packages share."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM

VOCABULARY = 97


def build_llama(*, attention: str = "luciola", seed: int = 0, layers: int = 2) -> LlamaForCausalLM:
    """A random Llama with grouped heads and tied embeddings, float32."""
    from luciola.models.attention import register

    register()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        attn_implementation=attention,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():  # sharp enough that a leak shows
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    return model
