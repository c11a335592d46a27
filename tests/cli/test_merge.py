"""`luciola merge`: what it prints, and how it ends."""

from __future__ import annotations

from pathlib import Path

import peft
import pytest

from luciola.cli.main import main
from luciola.models.load import load_model, load_tokenizer
from support import write_model


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    base = write_model(tmp_path / "base")
    config = peft.LoraConfig(
        r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", init_lora_weights=False
    )
    folder = tmp_path / "adapter"
    peft.get_peft_model(load_model(base), config).save_pretrained(str(folder))
    load_tokenizer(base).save_pretrained(folder)
    return folder


def test_the_figures_of_the_check_are_printed(
    adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["merge", str(adapter), str(tmp_path / "out"), "--dtype", "fp16"]) == 0
    size, figures, logits = capsys.readouterr().out.splitlines()
    assert size.endswith("out: 0.0 MB, fp16")
    assert figures.startswith("before and after: KL ")
    assert "same choice at" in figures
    assert "noise of the rounding's size moves them by" in logits


def test_a_mistake_ends_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", str(tmp_path / "none"), str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith("error: there is no model ")
