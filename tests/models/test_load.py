"""Loading models and tokenizers, and what goes wrong with them."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForSequenceClassification, LlamaModel

from luciola.errors import ModelError
from luciola.models.load import end_ids, load_model, load_tokenizer
from models_on_disk import TEMPLATE, write_gguf
from support import build_llama

IDS = torch.tensor([[5, 6, 7, 8, 9, 10]])


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


def test_a_folder_loads_as_it_was_saved_without_asking_the_network(
    folder: Path, offline: list[Any]
) -> None:
    model = load_model(folder)
    assert torch.equal(logits(model), logits(build_llama(attention="sdpa").eval()))
    assert not model.training
    tokenizer = load_tokenizer(folder)
    assert tokenizer.chat_template == TEMPLATE
    assert tokenizer.decode(tokenizer.encode("select 1")) == "select 1"
    assert not offline


def test_precision_and_attention_are_as_asked(folder: Path) -> None:
    model = load_model(folder, dtype=torch.bfloat16, attention="luciola")
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert model.config._attn_implementation == "luciola"
    assert torch.allclose(logits(model).float(), logits(load_model(folder)), atol=0.5)


def test_loading_says_nothing_and_leaves_log_levels_alone(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = logging.getLogger("transformers").level
    load_model(folder)
    load_tokenizer(folder)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("transformers").level == before


def adapter(base: Path, out: Path, recorded: str | None = None) -> torch.Tensor:
    """Save a random adapter on `base`; returns the logits it had."""
    torch.manual_seed(1)
    settings = peft.LoraConfig(r=2, init_lora_weights=False, target_modules=["q_proj", "v_proj"])
    model = peft.get_peft_model(load_model(base), settings)
    model.save_pretrained(out, save_embedding_layers=False)  # else peft asks the hub about the base
    if recorded is not None:
        file = out / "adapter_config.json"
        content = json.loads(file.read_text()) | {"base_model_name_or_path": recorded}
        file.write_text(json.dumps(content))
    return logits(model.eval())


def test_an_adapters_folder_loads_its_base_and_the_adapter(
    folder: Path, tmp_path: Path, offline: list[Any]
) -> None:
    expected = adapter(folder, tmp_path / "adapter")
    model = load_model(tmp_path / "adapter")
    assert torch.equal(logits(model), expected)
    assert not torch.equal(expected, logits(load_model(folder)))
    assert load_tokenizer(tmp_path / "adapter").chat_template == TEMPLATE
    assert not offline


@pytest.mark.parametrize("name", ["mistral", "Mistral 7B", "tiny"])
def test_a_gguf_file_says_the_same_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    """transformers alone cannot read a Llama under the very name "mistral"."""
    write_gguf(tmp_path / "named.gguf", name=name)
    expected = logits(build_llama(attention="sdpa").eval())
    assert torch.allclose(logits(load_model(tmp_path / "named.gguf")), expected, atol=1e-5)
    tokenizer = load_tokenizer(tmp_path / "named.gguf")
    assert tokenizer.decode(tokenizer.encode("select 1")) == "select 1"


def test_an_adapter_on_a_gguf_file_finds_it_again(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    expected = adapter(tmp_path / "tiny.gguf", tmp_path / "adapter")
    assert torch.equal(logits(load_model(tmp_path / "adapter")), expected)


def test_a_bundled_base_is_found_in_this_machines_cache(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path recorded on another machine does not exist here, but its last part names it."""
    expected = adapter(folder, tmp_path / "adapter", "/elsewhere/models/smollm2-135m")
    monkeypatch.setenv("LUCIOLA_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "models").mkdir(parents=True)
    folder.rename(tmp_path / "home" / "models" / "smollm2-135m")
    assert torch.equal(logits(load_model(tmp_path / "adapter")), expected)


def test_an_adapter_without_its_base_says_where_the_base_is_named(
    folder: Path, tmp_path: Path
) -> None:
    adapter(folder, tmp_path / "adapter", "/gone/away")
    with pytest.raises(ModelError, match=r"'/gone/away', which is not there") as caught:
        load_model(tmp_path / "adapter")
    assert "adapter_config.json" in str(caught.value)


def test_an_adapter_of_another_shape_is_refused(folder: Path, tmp_path: Path) -> None:
    adapter(folder, tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_model.safetensors"
    save_file({name: tensor[:1] for name, tensor in load_file(file).items()}, file)
    with pytest.raises(ModelError, match="does not fit its base"):
        load_model(tmp_path / "adapter")


def test_a_gguf_file_loads_with_its_tokenizer(tmp_path: Path, offline: list[Any]) -> None:
    """The tiny model written as llama.cpp writes it gives the same logits."""
    file = tmp_path / "tiny.gguf"
    write_gguf(file)
    model = load_model(file)
    assert torch.allclose(logits(model), logits(build_llama(attention="sdpa").eval()), atol=1e-4)
    tokenizer = load_tokenizer(file)
    assert tokenizer.chat_template == TEMPLATE
    assert tokenizer.decode(tokenizer.encode("select 1")) == "select 1"
    assert end_ids(tokenizer, model) == (96,)
    assert not offline


def test_a_gguf_file_of_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    write_gguf(tmp_path / "odd.gguf", architecture="firefly")
    with pytest.raises(ModelError, match=r"architecture 'firefly', which transformers cannot"):
        load_model(tmp_path / "odd.gguf")


def test_a_gguf_file_cut_short_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "cut.gguf"
    write_gguf(file)
    file.write_bytes(file.read_bytes()[:9000])
    with pytest.raises(ModelError, match=r"cut.gguf could not be read"):
        load_model(file)


def test_a_folder_without_weights_says_so(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="has no weights"):
        load_model(folder)


def test_a_folder_without_a_config_says_so(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"has no config.json"):
        load_model(folder)


def test_a_broken_config_is_named(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": ')
    with pytest.raises(ModelError, match=r"config.json cannot be read as JSON"):
        load_model(folder)


def test_an_unknown_kind_of_model_is_reported_in_one_line(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "firefly"}')
    with pytest.raises(ModelError, match="firefly") as caught:
        load_model(folder)
    assert "\n" not in caught.value.message


def test_damaged_weights_are_reported(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(folder)


def test_a_missing_tensor_is_an_error_not_a_random_weight(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 of .*layers.1.mlp.up_proj"):
        load_model(folder)


def small() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=20,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
    )


def test_a_classifier_is_not_a_causal_language_model(tmp_path: Path) -> None:
    LlamaForSequenceClassification(small()).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is a LlamaForSequenceClassification, not a causal"):
        load_model(tmp_path)


def test_a_body_without_a_head_is_not_a_causal_language_model(tmp_path: Path) -> None:
    LlamaModel(small()).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is a LlamaModel, not a causal"):
        load_model(tmp_path)


def test_a_folder_without_a_tokenizer_says_so(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match="has no tokenizer"):
        load_tokenizer(folder)


def test_code_that_comes_with_a_model_is_not_run(folder: Path) -> None:
    content = json.loads((folder / "config.json").read_text())
    content |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "own.py").write_text("raise SystemExit('run')")
    with pytest.raises(ModelError, match="Python code of its own, which is not run unasked"):
        load_model(folder)


@pytest.mark.parametrize("load", [load_model, load_tokenizer])
def test_without_a_network_a_hub_id_fails_at_once_and_shows_the_way_out(
    load: Any, offline: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One attempt, no retries, no traceback text; the bundled model is offered."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="hub cannot be reached") as caught:
        load("luciola-tests/nothing")
    assert "smollm2-135m" in str(caught.value)
    assert 1 <= len(offline) <= 3


def test_the_end_ids_are_those_of_tokenizer_and_generation_config(folder: Path) -> None:
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    assert model.generation_config is not None
    model.generation_config.eos_token_id = [3, tokenizer.eos_token_id]
    assert end_ids(tokenizer) == (96,)
    assert end_ids(tokenizer, model) == (96, 3)
