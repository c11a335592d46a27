"""Which attention a model gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, BloomConfig, Gemma2Config, LlamaConfig

from luciola.models.implementation import candidates
from luciola.models.load import load_model
from support import write_chats, write_model

SIZES: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
}  # fmt: skip


def _saved(folder: Path, config: Any) -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    model.save_pretrained(str(folder))
    return model


@pytest.mark.parametrize("attention", ["sdpa", "luciola"])
def test_a_family_with_alibi_keeps_its_own_attention(tmp_path: Path, attention: str) -> None:
    """Bloom adds ALiBi to its scores; under another attention it would say something else."""
    model = _saved(tmp_path, BloomConfig(**SIZES, pad_token_id=0, bos_token_id=1, eos_token_id=2))
    loaded = load_model(tmp_path, attention=attention)
    ids = torch.arange(2, 22)[None]
    assert loaded.config._attn_implementation == "eager"
    with torch.no_grad():
        torch.testing.assert_close(loaded(ids).logits, model(ids).logits)


def test_soft_caps_are_loaded_under_our_attention(tmp_path: Path) -> None:
    """Gemma 2 lacks SDPA, so that only a comparison of outputs lets it have ours."""
    sizes = SIZES | {"num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 48}
    _saved(tmp_path, Gemma2Config(**sizes, pad_token_id=0))
    assert load_model(tmp_path, attention="luciola").config._attn_implementation == "luciola"
    assert load_model(tmp_path).config._attn_implementation == "eager"


def test_families_that_choose_what_they_see_keep_their_own() -> None:
    """A sparse index is read by a family's own attentions only."""
    config = LlamaConfig(**SIZES)
    assert candidates(config, "luciola")[0] == "luciola"
    config.index_topk = 16
    assert candidates(config, "luciola") == ("sdpa", "eager")


def test_a_recipe_chooses_the_attention_and_the_run_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With eager attention examples cannot share a row, so the run is padded."""
    from luciola.config.load import from_mapping
    from luciola.config.sft import SftConfig
    from luciola.methods.sft import run

    settings = {
        "model": str(write_model(tmp_path / "model")),
        "data": str(write_chats(tmp_path / "chats.jsonl", 4)),
        "max_steps": 1, "attention": "eager", "device": "cpu",
    }  # fmt: skip
    run(from_mapping(SftConfig, settings))
    captured = capsys.readouterr()
    shown = " ".join((captured.out + captured.err).split())
    assert "padded rows, eager attention" in shown
