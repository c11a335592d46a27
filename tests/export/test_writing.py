"""A GGUF file says what the model said, or is not written."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import peft
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, MistralConfig, MistralForCausalLM

from exportable_models import build_qwen2, build_sentencepiece, write_changed
from luciola.errors import ConfigError, ModelError, StorageError
from luciola.export import tensors, writing
from luciola.export.writing import export_gguf
from luciola.models.load import load_model, load_tokenizer
from models_on_disk import build_tokenizer
from support import CHAT_TEMPLATE, VOCABULARY, build_llama

SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(input_ids=torch.arange(3, 60)[None]).logits
        return found


@pytest.mark.parametrize(("kind", "error"), [("f16", 2e-3), ("q8_0", 5e-2)])
def test_a_llama_is_read_back_as_it_was(
    kind: str, error: float, saved: Path, tmp_path: Path
) -> None:
    done = export_gguf(saved, tmp_path / "m.gguf", kind=kind)
    expected, seen = logits(load_model(saved)), logits(load_model(tmp_path / "m.gguf"))
    assert 0 < (seen - expected).abs().max() < error * expected.abs().max()
    assert done.same_tokens
    assert done.seen.distance <= 3 * done.rounding.distance + 2e-4 * done.seen.scale


@pytest.mark.parametrize("tied", [True, False])
def test_a_qwen2_with_biases_is_read_back_as_it_was(tied: bool, tmp_path: Path) -> None:
    build_qwen2(tied=tied).save_pretrained(str(tmp_path / "qwen"))
    build_tokenizer().save_pretrained(str(tmp_path / "qwen"))
    export_gguf(tmp_path / "qwen", tmp_path / "m.gguf")
    read = load_model(tmp_path / "m.gguf")
    assert read.config.model_type == "qwen2"
    assert read.config.tie_word_embeddings == tied
    expected = logits(load_model(tmp_path / "qwen"))
    assert (logits(read) - expected).abs().max() < 2e-3 * expected.abs().max()


def test_values_of_a_matrix_are_float16_or_blocks_and_norms_float32(
    saved: Path, tmp_path: Path
) -> None:
    export_gguf(saved, tmp_path / "m.gguf", kind="q8_0")
    read = {t.name: t for t in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    assert read["token_embd.weight"].tensor_type.name == "Q8_0"
    assert read["blk.1.attn_norm.weight"].tensor_type.name == "F32"
    assert "output.weight" not in read  # tied
    weight = load_model(saved).model.embed_tokens.weight.detach().numpy()
    expanded = gguf.dequantize(read["token_embd.weight"].data, gguf.GGMLQuantizationType.Q8_0)
    assert np.abs(expanded - weight).max() <= np.abs(weight).max() / 127


def test_rows_without_whole_blocks_are_float16(tmp_path: Path) -> None:
    """A width of 48 is a block and a half; the others are of 32."""
    folder = write_changed(tmp_path / "m", intermediate_size=48)
    export_gguf(folder, tmp_path / "m.gguf", kind="q8_0")
    read = {t.name: t.tensor_type.name for t in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    assert read["blk.0.ffn_down.weight"] == "F16"
    assert read["blk.0.ffn_up.weight"] == "Q8_0"
    expected, seen = logits(load_model(folder)), logits(load_model(tmp_path / "m.gguf"))
    assert (seen - expected).abs().max() < 5e-2 * expected.abs().max()


def test_sizes_that_readers_would_guess_otherwise_are_written(tmp_path: Path) -> None:
    """Heads wider than their share of the width, and positions that are pressed together."""
    rope = {"rope_type": "linear", "rope_theta": 5e5, "factor": 2.0}
    folder = write_changed(tmp_path / "m", head_dim=16, rope_parameters=rope)
    export_gguf(folder, tmp_path / "m.gguf")
    fields = gguf.GGUFReader(tmp_path / "m.gguf").fields
    assert {
        name: fields[f"llama.{name}"].contents()
        for name in (
            "attention.key_length",
            "attention.value_length",
            "rope.dimension_count",
            "rope.freq_base",
            "rope.scaling.type",
            "rope.scaling.factor",
        )
    } == {
        "attention.key_length": 16,
        "attention.value_length": 16,
        "rope.dimension_count": 16,
        "rope.freq_base": 5e5,
        "rope.scaling.type": "linear",
        "rope.scaling.factor": 2.0,
    }


def test_a_window_shorter_than_the_context_is_the_length_that_llama_cpp_may_see(
    tmp_path: Path,
) -> None:
    config = MistralConfig(**{**SMALL, "sliding_window": 130, "max_position_embeddings": 256})
    torch.manual_seed(0)
    MistralForCausalLM(config).save_pretrained(str(tmp_path / "m"))
    build_tokenizer().save_pretrained(str(tmp_path / "m"))
    export_gguf(tmp_path / "m", tmp_path / "m.gguf")
    fields = gguf.GGUFReader(tmp_path / "m.gguf").fields
    assert fields["llama.context_length"].contents() == 130


def test_rows_of_rotary_pairs_stand_side_by_side() -> None:
    """One head of four: halves (0, 1) and (2, 3) become 0, 2, 1, 3."""
    rows = np.arange(4)[:, None]
    assert tensors.interleaved(rows, 1)[:, 0].tolist() == [0, 2, 1, 3]


def test_tokenizer_special_ids_and_template_are_read_back(saved: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(saved)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|new|>"]})
    tokenizer.save_pretrained(saved)
    model = build_llama(attention="sdpa")
    model.resize_token_embeddings(104, mean_resizing=False)
    model.save_pretrained(saved)
    export_gguf(saved, tmp_path / "m.gguf")
    read = load_tokenizer(tmp_path / "m.gguf")
    assert read.chat_template == CHAT_TEMPLATE
    assert read.eos_token == "<end>"
    text = "please<|new|> see<end>"
    assert read(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert load_model(tmp_path / "m.gguf").get_input_embeddings().weight.shape[0] == 104


def test_a_sentencepiece_vocabulary_is_read_back(tmp_path: Path) -> None:
    write_changed(tmp_path / "m", vocab_size=268)
    tokenizer = build_sentencepiece()
    tokenizer.save_pretrained(tmp_path / "m")
    assert export_gguf(tmp_path / "m", tmp_path / "m.gguf").same_tokens
    read = load_tokenizer(tmp_path / "m.gguf")
    assert read("the hen")["input_ids"] == tokenizer("the hen")["input_ids"]
    assert read("the hen")["input_ids"][:2] == [1, 261]
    fields = gguf.GGUFReader(tmp_path / "m.gguf").fields
    assert fields["tokenizer.ggml.add_bos_token"].contents() is True
    assert fields["tokenizer.ggml.add_space_prefix"].contents() is True


def test_an_adapter_is_merged_first(saved: Path, tmp_path: Path) -> None:
    config = peft.LoraConfig(
        r=4, target_modules=["q_proj", "up_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    adapted = peft.get_peft_model(load_model(saved), config)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    export_gguf(tmp_path / "adapter", tmp_path / "m.gguf")
    seen, expected = logits(load_model(tmp_path / "m.gguf")), logits(adapted)
    assert (seen - expected).abs().max() < 2e-3 * expected.abs().max()


def test_a_stretched_rotary_embedding_is_written_as_factors(tmp_path: Path) -> None:
    """Llama 3.1's: fast rotations keep their frequency, slow ones are eight times slower."""
    rope = {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    write_changed(tmp_path / "m", rope_parameters=rope)
    export_gguf(tmp_path / "m", tmp_path / "m.gguf")
    read = {t.name: t.data for t in gguf.GGUFReader(tmp_path / "m.gguf").tensors}
    factors = read["rope_freqs.weight"]
    assert factors[0] == pytest.approx(1)
    assert factors[-1] == pytest.approx(8)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}}, "'yarn'"),
        ({"hidden_act": "relu"}, "the GGUF file does not say what the model said before"),
    ],
)
def test_what_the_format_does_not_say_is_refused(
    changes: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    write_changed(tmp_path / "m", **changes)
    with pytest.raises(ModelError, match=problem):
        export_gguf(tmp_path / "m", tmp_path / "m.gguf")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_another_architecture_is_named_with_those_supported(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=97, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    GPT2LMHeadModel(config).save_pretrained(str(tmp_path / "gpt2"))
    build_tokenizer().save_pretrained(str(tmp_path / "gpt2"))
    with pytest.raises(ModelError, match="a GPT2LMHeadModel cannot be written") as caught:
        export_gguf(tmp_path / "gpt2", tmp_path / "m.gguf")
    assert "LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM" in str(caught.value)


def test_a_file_that_is_there_is_not_replaced(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "m.Modelfile").write_text("mine")
    with pytest.raises(ConfigError, match=r"m\.Modelfile is there already"):
        export_gguf(saved, tmp_path / "m.gguf")


def test_an_unknown_type_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="type must be f16 or q8_0, got 'q4_k'"):
        export_gguf("m", tmp_path / "m.gguf", kind="q4_k")


def test_missing_space_is_noticed_before_anything_is_written(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(10, 0, 10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(writing, "_write", lambda *_: pytest.fail("was written"))
    with pytest.raises(StorageError, match=r"0\.00 GB free"):
        export_gguf(saved, tmp_path / "m.gguf")


def test_numbers_beyond_float16_are_refused(saved: Path, tmp_path: Path) -> None:
    model = load_model(saved)
    model.model.layers[0].mlp.down_proj.weight.data[0, 0] = 1e6
    model.save_pretrained(saved)
    with pytest.raises(ModelError, match=r"down_proj\.weight holds numbers that float16 cannot"):
        export_gguf(saved, tmp_path / "m.gguf")


def test_any_name_of_the_file_will_do(saved: Path, tmp_path: Path) -> None:
    """transformers cannot read a file whose model is called exactly "mistral"; a folder is told."""
    for name in ("mistral.gguf", "llama.gguf", "my model.gguf", "no-ending", "a.v2", "x.Modelfile"):
        done = export_gguf(saved, tmp_path / "new" / name)
        assert done.file.is_file()
        assert done.modelfile.name == f"{name.removesuffix('.gguf')}.Modelfile"
        assert f"FROM ./{name}" in done.modelfile.read_text()
    with pytest.raises(StorageError, match="is a folder"):
        export_gguf(saved, tmp_path / "new")


def test_the_model_itself_is_never_overwritten(saved: Path) -> None:
    before = (saved / "config.json").read_bytes()
    with pytest.raises(ConfigError, match="is one of the files read"):
        export_gguf(saved, saved / "config.json", overwrite=True)
    assert (saved / "config.json").read_bytes() == before
