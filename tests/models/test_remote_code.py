"""Models that bring Python code of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from luciola.errors import ModelError
from luciola.models.load import load_model
from luciola.models.save import save_model
from support import build_tokenizer, write_model

CODE = """
from transformers import LlamaConfig, LlamaForCausalLM


class OwnConfig(LlamaConfig):
    model_type = "own_llama"


class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny Llama under a type that only its own file knows."""
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    folder = write_model(tmp_path / "own")
    (folder / "modeling_own.py").write_text(CODE)
    file = folder / "config.json"
    settings = json.loads(file.read_text()) | {
        "model_type": "own_llama",
        "architectures": ["OwnForCausalLM"],
        "auto_map": {
            "AutoConfig": "modeling_own.OwnConfig",
            "AutoModelForCausalLM": "modeling_own.OwnForCausalLM",
        },
    }
    file.write_text(json.dumps(settings))
    return folder


def test_code_is_not_run_unasked(own: Path) -> None:
    """The message names the setting that allows it."""
    with pytest.raises(ModelError, match="Python code of its own") as caught:
        load_model(own)
    assert "trust_remote_code=true" in str(caught.value)


def test_code_goes_along_when_the_model_is_saved(own: Path, tmp_path: Path) -> None:
    """What was saved loads again, by its own file."""
    model = load_model(own, trust_remote_code=True)
    assert type(model).__name__ == "OwnForCausalLM"
    save_model(model, build_tokenizer(), tmp_path / "saved", name=str(own))
    assert (tmp_path / "saved" / "modeling_own.py").read_text() == CODE
    again = load_model(tmp_path / "saved", trust_remote_code=True)
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        torch.testing.assert_close(again(ids).logits, model(ids).logits)


def test_sharded_weights_load_and_save(tmp_path: Path) -> None:
    """A checkpoint in many files is one model, also in half precision."""
    model = load_model(write_model(tmp_path / "whole"))
    model.save_pretrained(str(tmp_path / "shards"), max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        loaded = load_model(tmp_path / "shards", dtype=dtype)
        assert loaded.dtype == dtype
        for name, weight in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], weight.to(dtype))
    save_model(loaded, build_tokenizer(), tmp_path / "again", name=str(tmp_path / "shards"))
    assert load_model(tmp_path / "again").num_parameters() == model.num_parameters()
