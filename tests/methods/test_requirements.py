"""What each setting needs of a machine."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

import luciola
from luciola.config.load import from_mapping
from luciola.config.sft import SftConfig
from luciola.errors import ConfigError, LuciolaError, MissingExtraError
from luciola.methods.requirements import (
    PACKAGES,
    Machine,
    check_machine,
    problems,
    slow_precision,
)

CPU = Machine("cpu", compilers=frozenset({"C", "C++"}), packages=frozenset(PACKAGES))
GPU = replace(CPU, device="cuda", bfloat16=True, float16=True)
TURING = replace(GPU, bfloat16=False)


def recipe(**settings: Any) -> SftConfig:
    return from_mapping(SftConfig, {"model": "m", "data": ["d.jsonl"], **settings}, "test")


def without(machine: Machine, *names: str) -> Machine:
    return replace(
        machine, packages=machine.packages - set(names), compilers=machine.compilers - set(names)
    )


@pytest.mark.parametrize(
    ("settings", "machine", "said", "to_do"),
    [
        ({"adapter": "qlora"}, CPU, "adapter=qlora needs a CUDA GPU", "adapter=lora quantize=none"),
        ({"quantize": "int8"}, CPU, "quantize=int8 needs a CUDA GPU", "quantize=none"),
        ({"quantize": "nf4"}, without(GPU, "bitsandbytes"), "quantize=nf4 needs the package 'bits",
         "luciola[quantized]"),
        ({"optimizer": "adamw8bit"}, CPU, "optimizer=adamw8bit needs a CUDA GPU",
         "optimizer=adamw."),
        ({"optimizer": "adamw8bit"}, without(GPU, "bitsandbytes"),
         "optimizer=adamw8bit needs the package 'bitsandbytes'", "luciola[quantized]"),
        ({"attention": "flash_attention_2"}, CPU, "flash_attention_2 needs a CUDA GPU",
         "attention=auto"),
        ({"attention": "flash_attention_2"}, without(GPU, "flash_attn"),
         "needs the package 'flash-attn'", "pip install flash-attn; or: leave attention=auto."),
        ({"attention": "flash_attention_2"}, TURING, "needs a GPU of the Ampere generation",
         "attention=auto"),
        ({"attention": "flash_attention_2", "precision": "fp32"}, GPU, "computes in 16 bits",
         "precision=bf16"),
        ({"attention": "flex_attention"}, CPU, "flex_attention needs a CUDA GPU", "attention=auto"),
        ({"attention": "flex_attention"}, without(GPU, "triton"), "needs the package 'triton'",
         "pip install triton"),
        ({"compile": True}, without(CPU, "C++"), "compile=true needs a C++ compiler", "g++"),
        ({"compile": True}, without(GPU, "C"), "compile=true needs a C compiler", "gcc"),
        ({"compile": True}, without(GPU, "triton"), "compile=true needs the package 'triton'",
         "compile=false"),
        ({"deterministic": True}, replace(GPU, workspace=":0:0"),
         "cannot be kept with CUBLAS_WORKSPACE_CONFIG=:0:0", ":4096:8"),
        ({"track": ["tensorboard"]}, without(CPU, "tensorboard"), "track=tensorboard needs the",
         "luciola[tensorboard]"),
        ({"track": ["tensorboard", "wandb"]}, without(CPU, "wandb"), "track=wandb needs the",
         "luciola[wandb]"),
        ({"track": ["trackio"]}, without(GPU, "trackio"), "track=trackio needs", "[trackio]"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_work_is_one_sentence_and_a_way_out(
    settings: dict[str, Any], machine: Machine, said: str, to_do: str
) -> None:
    config = recipe(**settings)
    (problem,) = problems(machine, config)
    assert said in problem.message
    assert to_do in str(problem.remedy)
    if machine is not TURING:
        enough = GPU if machine.device == "cuda" or "CUDA" in said else CPU
        assert not problems(enough, replace(config, precision="auto"))


def test_a_plain_recipe_asks_for_nothing() -> None:
    bare = Machine("cpu")
    assert not problems(bare, recipe())
    assert not slow_precision(bare, recipe())
    assert not problems(bare, recipe(deterministic=True))


@pytest.mark.parametrize(
    ("precision", "machine", "notice"),
    [
        ("bf16", CPU, "precision=bf16: this CPU has no instructions"),
        ("fp16", CPU, "precision=fp32 is faster here"),
        ("bf16", TURING, "this GPU has no instructions for it and computes it slowly; "
         "precision=fp16 is faster"),
        ("fp16", TURING, ""),
        ("bf16", GPU, ""),
        ("bf16", replace(CPU, bfloat16=True), ""),
        ("fp16", replace(CPU, float16=True), ""),
        ("fp32", CPU, ""),
        ("auto", CPU, ""),
    ],
)  # fmt: skip
def test_a_precision_without_instructions_is_told(
    precision: str, machine: Machine, notice: str
) -> None:
    said = slow_precision(machine, recipe(precision=precision))
    assert notice in said
    assert bool(said) == bool(notice)


def test_this_machine_is_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="device=cuda, but torch sees no GPU here"):
        check_machine(recipe(device="cuda"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ConfigError, match="needs a C\\+\\+ compiler"):
        check_machine(recipe(compile=True))
    monkeypatch.setattr("torch.cpu._is_amx_fp16_supported", lambda: False)
    with caplog.at_level(logging.WARNING):
        check_machine(recipe(precision="fp16"))
    assert caplog.text.count("has no instructions for it") == 1


def test_a_missing_extra_is_said_before_the_data_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`no.jsonl` is not even looked for."""
    monkeypatch.setattr("luciola.methods.requirements.find_spec", lambda name: None)
    with pytest.raises(LuciolaError) as caught:
        luciola.sft(model="m", data="no.jsonl", track=["wandb"], device="cpu")
    assert isinstance(caught.value, MissingExtraError)
