"""With a GPU: fp16 with a scaled loss learns as bf16 does, over whole weights and in few bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import luciola
from support import write_chats, write_model

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("adapter", ["lora", "full", "qlora"])
def test_fp16_learns_as_bf16_does(adapter: str, tmp_path: Path) -> None:
    if adapter == "qlora":
        pytest.importorskip("bitsandbytes")
    given: dict[str, Any] = {
        "model": str(write_model(tmp_path / "model", width=64)),
        "data": str(write_chats(tmp_path / "chats.jsonl")),
        "adapter": adapter,
        "epochs": 4,
        "lr": 1e-2,
    }
    half = luciola.sft(**given, precision="fp16", out=str(tmp_path / "half"))
    brain = luciola.sft(**given, precision="bf16", out=str(tmp_path / "brain"))
    assert half.figures["precision"].startswith("fp16")
    assert half.figures["loss"] == pytest.approx(brain.figures["loss"], rel=0.2)
