"""How much a model can see, read before its weights are."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from luciola.config.load import from_mapping
from luciola.config.sft import SftConfig
from luciola.config.training import LoraConfig
from luciola.models.adapters import attach_lora
from luciola.models.context import context_length, within_context
from luciola.models.load import load_model
from models_on_disk import write_gguf


def test_the_context_is_known_of_a_folder_an_adapter_and_a_gguf_file(
    folder: Path, tmp_path: Path
) -> None:
    assert context_length(folder) == 256
    model = attach_lora(load_model(folder), LoraConfig(r=2), run_seed=0)
    model.save_pretrained(str(tmp_path / "adapter"))  # type: ignore[operator]
    assert context_length(tmp_path / "adapter") == 256
    write_gguf(tmp_path / "tiny.gguf")
    assert context_length(tmp_path / "tiny.gguf") == 256


def test_examples_are_never_longer_than_the_context(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a notice that names both numbers; a shorter limit stays, in silence."""
    settings = {"model": str(folder), "data": "chats.jsonl"}
    short = from_mapping(SftConfig, {**settings, "max_length": 200})
    with caplog.at_level(logging.WARNING, logger="luciola"):
        assert within_context(short) is short
        assert not caplog.text
        long = from_mapping(SftConfig, {**settings, "max_length": 300})
        assert within_context(long).max_length == 256
    assert "max_length=300 is more than the 256 tokens" in caplog.text
