"""An adapter and its base become one model that says the same, or nothing is written."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections import namedtuple
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from luciola.errors import ConfigError, ModelError, StorageError
from luciola.models import merge as merging
from luciola.models.adapter_files import UNMERGEABLE
from luciola.models.adapter_kinds import can_merge
from luciola.models.load import load_model, load_tokenizer
from luciola.models.merge import merge
from support import CHAT_TEMPLATE, write_model

KINDS: dict[str, peft.PeftConfig] = {
    "lora": peft.LoraConfig(r=4, target_modules="all-linear"),
    "rslora": peft.LoraConfig(r=4, target_modules=["q_proj", "up_proj"], use_rslora=True),
    "dora": peft.LoraConfig(r=4, target_modules="all-linear", use_dora=True),
    "ia3": peft.IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]
    ),
    "embeddings": peft.LoraConfig(r=4, target_modules=["embed_tokens", "v_proj"]),
    "head": peft.LoraConfig(r=4, target_modules=["v_proj"], modules_to_save=["lm_head"]),
    "vocabulary": peft.LoraConfig(r=4, target_modules=["v_proj"], modules_to_save=["embed_tokens"]),
}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = write_model(tmp_path / "base")
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [96, 5]}))
    return folder


def write_adapter(base: Path, folder: Path, config: peft.PeftConfig) -> Path:
    """An adapter with random weights, and the base's tokenizer beside it."""
    config.task_type = "CAUSAL_LM"
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = peft.get_peft_model(load_model(base), config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(str(folder), save_embedding_layers=False)
    load_tokenizer(base).save_pretrained(folder)
    return folder


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    return write_adapter(base, tmp_path / "adapter", KINDS["lora"])


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(input_ids=torch.arange(3, 60)[None]).logits
        return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_merged_model_says_what_base_and_adapter_said(
    kind: str, base: Path, tmp_path: Path
) -> None:
    adapter = write_adapter(base, tmp_path / "adapter", KINDS[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected, plain = logits(load_model(adapter)), logits(load_model(base))
    done = merge(adapter, tmp_path / "out", dtype="fp32")
    merged = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "out"))
    assert (merged - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (plain - expected).abs().max() > 1e-2 * expected.abs().max()
    assert done.seen.same_choice == 1
    assert done.effect > 100 * done.seen.distance


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_weights_are_rounded_once_to_the_type_asked_for(
    dtype: str, adapter: Path, tmp_path: Path
) -> None:
    """As merging in float32 and casting gives them, to the bit."""
    expected = load_model(adapter).merge_and_unload().to(merging.DTYPES[dtype]).state_dict()
    done = merge(adapter, tmp_path / "out", dtype=dtype)
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(value, expected[name]) for name, value in written.items())
    assert 0 < done.seen.distance <= 3 * done.rounding.distance + 2e-4 * done.seen.scale
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert loaded.dtype == merging.DTYPES[dtype]


def test_tied_embeddings_stay_tied_where_the_adapter_leaves_them_alone(
    adapter: Path, tmp_path: Path
) -> None:
    merge(adapter, tmp_path / "out")
    assert "lm_head.weight" not in load_file(tmp_path / "out" / "model.safetensors")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["tie_word_embeddings"]


@pytest.mark.parametrize("kind", ["embeddings", "head", "vocabulary"])
def test_an_adapter_on_one_end_of_tied_embeddings_parts_them(
    kind: str, base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = write_adapter(base, tmp_path / "adapter", KINDS[kind])
    logging.getLogger("luciola").propagate = True
    merge(adapter, tmp_path / "out")
    assert "lm_head.weight" in load_file(tmp_path / "out" / "model.safetensors")
    assert not json.loads((tmp_path / "out" / "config.json").read_text())["tie_word_embeddings"]
    assert "one end of tied embeddings" in caplog.text


def test_a_vocabulary_that_grew_with_the_adapter_is_kept(base: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(base)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|new|>"]})
    tokenizer.save_pretrained(tmp_path / "adapter")
    model: Any = load_model(base)
    model.resize_token_embeddings(98, mean_resizing=False)
    model.get_input_embeddings().weight.data[97] = torch.linspace(-8, 8, 32)
    config = peft.LoraConfig(
        r=4, target_modules=["v_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    adapted = peft.get_peft_model(model, config)
    adapted.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=True)
    merge(tmp_path / "adapter", tmp_path / "out", dtype="fp32")
    written = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    ids = AutoTokenizer.from_pretrained(tmp_path / "out")("a<|new|>b", return_tensors="pt")
    assert ids["input_ids"][0, 1] == 97
    with torch.no_grad():
        seen = written(input_ids=ids["input_ids"]).logits
        expected = adapted.eval()(input_ids=ids["input_ids"]).logits
    assert (seen - expected).abs().max() < 1e-4 * expected.abs().max()


def test_tokenizer_template_generation_config_and_card_are_kept(
    adapter: Path, tmp_path: Path
) -> None:
    merge(adapter, tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer.chat_template == CHAT_TEMPLATE
    generation = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [96, 5]
    card = (tmp_path / "out" / "README.md").read_text()
    assert 'base_model: "base"' in card
    assert "| weights | bf16 |" in card


def test_the_card_of_a_run_has_its_recipe_and_figures(adapter: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    adapter.rename(run / "model")
    (run / "recipe.yaml").write_text("model: base\nlr: 0.001\n")
    (run / "report.json").write_text('{"final_loss": 0.25}')
    merge(run, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "```yaml\nmodel: base\nlr: 0.001\n```" in card
    assert "| final_loss | 0.25 |" in card


def test_a_base_in_16_bits_is_merged_in_float32(base: Path, tmp_path: Path) -> None:
    """The sum of a bfloat16 weight and the adapter's product, rounded once."""
    load_model(base).to(torch.bfloat16).save_pretrained(base)
    adapter = write_adapter(base, tmp_path / "adapter", KINDS["lora"])
    merge(adapter, tmp_path / "out")
    weights, wide = load_file(tmp_path / "out" / "model.safetensors"), load_model(base)
    with torch.no_grad():
        expected = load_model(adapter).merge_and_unload().state_dict()
    name = "model.layers.1.mlp.down_proj.weight"
    assert torch.equal(weights[name], expected[name].to(torch.bfloat16))
    assert not torch.equal(weights[name].float(), wide.state_dict()[name])


@pytest.mark.parametrize("kind", [peft.PromptTuningConfig, peft.PrefixTuningConfig])
def test_an_adapter_that_is_no_change_of_weights_is_refused(
    kind: Any, base: Path, tmp_path: Path
) -> None:
    adapter = write_adapter(base, tmp_path / "adapter", kind(num_virtual_tokens=4))
    with pytest.raises(ModelError, match=r"cannot be merged: (prompt|prefix) tuning adds"):
        merge(adapter, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["HOULSBY", "PFEIFFER"])
def test_a_bottleneck_adapter_is_refused(kind: str, adapter: Path, tmp_path: Path) -> None:
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**settings, "peft_type": kind}))
    with pytest.raises(ModelError, match="a layer of its own, with a nonlinearity"):
        merge(adapter, tmp_path / "out")


@pytest.mark.parametrize(
    "kind", ["LORA", "IA3", "HOULSBY", "PFEIFFER", "PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING"]
)
def test_what_merges_is_what_the_adapters_say_merges(kind: str) -> None:
    assert can_merge(kind) == (kind not in UNMERGEABLE)


def test_a_model_without_an_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is no adapter: it has no adapter_config\.json"):
        merge(base, tmp_path / "out")


@pytest.mark.parametrize("place", ["base", "adapter"])
def test_the_folders_that_are_read_are_not_written(
    place: str, adapter: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=f"is the {place} itself"):
        merge(adapter, tmp_path / place)


def test_a_folder_that_is_not_empty_is_left_alone(adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match=r"is not empty \(it has 'letter\.txt'\)"):
        merge(adapter, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["letter.txt"]


def test_an_unknown_type_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dtype must be bf16, fp16, fp32, got 'int4'"):
        merge(tmp_path, tmp_path / "out", dtype="int4")


def test_missing_space_is_noticed_before_anything_is_loaded(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(10, 0, 10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(merging, "load_model", lambda *_, **__: pytest.fail("was loaded"))
    with pytest.raises(StorageError, match=r"GB, and .* has 0\.00 GB free"):
        merge(adapter, tmp_path / "out")


def test_missing_space_for_a_base_of_unknown_size_is_noticed_before_anything_is_written(
    adapter: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of an older kind do not tell how large the model becomes; the loaded model does."""
    weights = load_file(base / "model.safetensors")
    torch.save(weights, base / "pytorch_model.bin")
    (base / "model.safetensors").unlink()
    usage = namedtuple("usage", "total used free")(64 * 2**20, 0, 64 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match=r"GB, and .* has 0\.07 GB free"):
        merge(adapter, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_base_is_named(adapter: Path, base: Path, tmp_path: Path) -> None:
    shutil.rmtree(base)
    with pytest.raises(ModelError, match=r"belongs to the model '.*base', which is not there"):
        merge(adapter, tmp_path / "out")


def test_an_adapter_for_other_shapes_is_refused(adapter: Path, tmp_path: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    save_file({n: t.repeat(2, 2) for n, t in load_file(file).items()}, file)
    with pytest.raises(ModelError, match="does not fit its base"):
        merge(adapter, tmp_path / "out")


def test_an_adapter_with_layers_that_the_base_lacks_is_refused(
    adapter: Path, tmp_path: Path
) -> None:
    """peft would leave them out, without a word."""
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    more = {n.replace("layers.1", "layers.7"): t.clone() for n, t in weights.items()}
    save_file({**weights, **more}, file)
    with pytest.raises(ModelError, match=r"there is no place for .*layers\.7\."):
        merge(adapter, tmp_path / "out")


def test_a_quantised_base_is_refused(adapter: Path, base: Path, tmp_path: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="is stored quantised"):
        merge(adapter, tmp_path / "out")


def test_numbers_beyond_the_type_are_refused(adapter: Path, tmp_path: Path) -> None:
    file = adapter / "adapter_model.safetensors"
    save_file({n: t * 1e4 for n, t in load_file(file).items()}, file)
    with pytest.raises(ModelError, match="holds numbers that float16 cannot"):
        merge(adapter, tmp_path / "out", dtype="fp16")


def test_a_merge_that_went_wrong_is_refused_and_leaves_nothing(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = merging._write

    def damaging(adapted: Any, *rest: Any) -> None:
        adapted.model.model.layers[0].mlp.up_proj.weight.data.mul_(1.1)
        write(adapted, *rest)

    monkeypatch.setattr(merging, "_write", damaging)
    with pytest.raises(ModelError, match="the merged model does not say"):
        merge(adapter, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "base"]


def test_code_that_the_base_brings_is_kept(adapter: Path, base: Path, tmp_path: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "own.Own"}
    (base / "config.json").write_text(json.dumps(config))
    (base / "own.py").write_text("# code\n")
    merge(adapter, tmp_path / "out")
    assert (tmp_path / "out" / "own.py").read_text() == "# code\n"
    assert "own.Own" in (tmp_path / "out" / "config.json").read_text()
