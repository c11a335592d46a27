"""The probe on models whose rows are short."""

from __future__ import annotations

from transformers import GPT2Config, GPT2LMHeadModel

from luciola.models.attention import register
from luciola.models.probe import isolates


def test_a_model_with_a_short_context_is_asked_with_shorter_rows() -> None:
    """With 16 positions longer probes would fail, and it would train padded without need."""
    config = GPT2Config(
        vocab_size=97, n_positions=16, n_embd=16, n_layer=2, n_head=2, bos_token_id=1,
        eos_token_id=2, attn_implementation=register(),
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    assert isolates(model, "packed", vocabulary=97)
    assert isolates(model, "tree", vocabulary=97)
