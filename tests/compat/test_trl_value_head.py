"""The model with a value head: what it returns, and its way through a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from luciola.compat.trl import AutoModelForCausalLMWithValueHead, ClassicError
from support import build_llama

Model = AutoModelForCausalLMWithValueHead
LORA = peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
IDS = torch.tensor([[5, 6, 7, 8, 9], [10, 11, 12, 13, 14]])


def test_it_returns_logits_loss_and_values(build: Any) -> None:
    """The value is the head's on the last hidden state, which is the one the logits come from."""
    model = build()
    logits, loss, values = model(input_ids=IDS)
    assert logits.shape == (2, 5, 97) and logits.dtype == torch.float32 and loss is None
    hidden = model.pretrained_model.transformer(IDS).last_hidden_state
    torch.testing.assert_close(values, model.v_head.summary(hidden)[..., 0])
    assert model(input_ids=IDS, labels=IDS)[1] > 0
    assert len(model(input_ids=IDS, return_past_key_values=True)) == 4


def test_values_are_float32_over_a_model_in_bfloat16() -> None:
    model = Model.from_pretrained(build_llama(attention="sdpa").bfloat16())
    logits, _, values = model(input_ids=IDS)
    assert logits.dtype == values.dtype == torch.float32


@pytest.mark.parametrize("kind", ["learned positions", "rotary"])
def test_padding_on_either_side_changes_no_logit_and_no_value(kind: str, build: Any) -> None:
    rotary = Model.from_pretrained(build_llama(attention="sdpa"))
    model = build() if kind == "learned positions" else rotary
    alone, _, values = model(input_ids=IDS[:1])
    for real in (slice(0, 5), slice(3, 8)):
        ids, mask = torch.full((1, 8), 96), torch.zeros(1, 8, dtype=torch.long)
        ids[:, real], mask[:, real] = IDS[0], 1
        padded = model(input_ids=ids, attention_mask=mask)
        torch.testing.assert_close(padded[0][:, real], alone, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(padded[2][:, real], values, rtol=1e-4, atol=1e-4)


def test_the_weights_have_the_names_of_the_original(build: Any) -> None:
    model = build()
    names = list(model.state_dict())
    assert names[-2:] == ["v_head.summary.weight", "v_head.summary.bias"]
    assert "transformer.wte.weight" in names
    other = build(seed=1)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(input_ids=IDS)[2], model(input_ids=IDS)[2])
    prefixed = {f"pretrained_model.{n}": v for n, v in model.pretrained_model.state_dict().items()}
    third = build(seed=1)
    missing = third.load_state_dict(prefixed, strict=False).missing_keys
    assert missing == ["v_head.summary.weight", "v_head.summary.bias"]
    assert torch.equal(third(input_ids=IDS)[0], model(input_ids=IDS)[0])
    wrapped = torch.nn.Sequential(model).state_dict()
    assert "0.v_head.summary.bias" in wrapped and "0.transformer.wte.weight" in wrapped


def test_the_head_begins_as_asked() -> None:
    made = Model.from_pretrained(build_llama(attention="sdpa"), v_head_init_strategy="normal")
    assert made.v_head.summary.bias.item() == 0.0
    assert 0.1 < made.v_head.summary.weight.std() < 0.4
    assert made.v_head.dropout.p == 0.1
    with pytest.raises(ClassicError, match="None or 'normal', got 'zero'"):
        Model.from_pretrained(build_llama(), v_head_init_strategy="zero")  # type: ignore[arg-type]


def test_a_saved_model_loads_again_and_in_plain_transformers(build: Any, tmp_path: Path) -> None:
    model = build()
    model.save_pretrained(tmp_path)
    again = Model.from_pretrained(tmp_path)
    assert torch.equal(again(input_ids=IDS)[2], model(input_ids=IDS)[2])
    plain, info = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert torch.equal(plain.eval()(IDS).logits, model(input_ids=IDS)[0])


def test_a_folder_of_the_original_keeps_its_head(build: Any, tmp_path: Path) -> None:
    """There the head lies among the model's own weights."""
    model = build()
    model.save_pretrained(tmp_path)
    (tmp_path / "v_head.safetensors").rename(tmp_path / "head")
    weights = {**load_file(tmp_path / "model.safetensors"), **load_file(tmp_path / "head")}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    again = Model.from_pretrained(str(tmp_path))
    assert torch.equal(again(input_ids=IDS)[2], model(input_ids=IDS)[2])


def test_an_adapter_is_trained_with_the_head_alone_and_saved_with_it(tmp_path: Path) -> None:
    base = build_llama(attention="sdpa")
    base.save_pretrained(tmp_path / "base")
    model = Model.from_pretrained(tmp_path / "base", peft_config=LORA)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert all("lora" in name or name.startswith("v_head.") for name in trained)
    assert set(model.state_dict()) == {"v_head.summary.weight", "v_head.summary.bias"}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    model.save_pretrained(tmp_path / "adapter")
    again = Model.from_pretrained(tmp_path / "adapter", is_trainable=True)
    assert again.is_peft_model
    assert {n for n, p in again.named_parameters() if p.requires_grad} == trained
    for now, then in zip(again(input_ids=IDS)[::2], model(input_ids=IDS)[::2], strict=True):
        torch.testing.assert_close(now, then)
    frozen = Model.from_pretrained(tmp_path / "adapter")
    assert {n for n, p in frozen.named_parameters() if p.requires_grad} <= trained


def test_loading_takes_the_options_of_transformers(tmp_path: Path) -> None:
    build_llama(attention="sdpa").save_pretrained(tmp_path)
    assert Model.from_pretrained(tmp_path, torch_dtype="bfloat16").pretrained_model.dtype == (
        torch.bfloat16
    )
    eager = Model.from_pretrained(tmp_path, attn_implementation="eager")
    assert eager.config._attn_implementation == "eager"


def test_the_encoder_decoder_class_can_be_imported_and_says_that_it_is_left_out() -> None:
    from luciola.compat.trl import AutoModelForSeq2SeqLMWithValueHead

    with pytest.raises(ClassicError, match=r"encoder-decoder models .* are not supported"):
        AutoModelForSeq2SeqLMWithValueHead.from_pretrained("t5-small")
