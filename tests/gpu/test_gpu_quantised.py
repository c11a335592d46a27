"""With a GPU and bitsandbytes: a base in few bits trains an adapter, which loads over a whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import luciola
from luciola.models.load import load_model
from luciola.models.quantization import is_quantised, load_quantised
from support import write_chats, write_model

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_a_base_in_few_bits_says_nearly_what_the_whole_one_says(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    folder = write_model(tmp_path / "model", width=64)
    device = torch.device("cuda")
    few = load_quantised(str(folder), kind, device)
    assert is_quantised(few)
    ids = torch.arange(24, device=device)[None]
    with torch.no_grad():
        whole = load_model(folder, device=device)(ids).logits
        rounded = few(ids).logits.float()
    assert torch.cosine_similarity(whole.flatten(), rounded.flatten(), dim=0) > 0.9


@pytest.mark.parametrize(
    "settings", [{"adapter": "qlora"}, {"adapter": "lora", "quantize": "int8"}]
)
def test_an_adapter_over_few_bits_learns_and_its_folder_loads(
    settings: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    folder = write_model(tmp_path / "model", width=64)
    result = luciola.sft(
        model=str(folder),
        data=str(write_chats(tmp_path / "chats.jsonl")),
        epochs=4,
        lr=1e-2,
        **settings,
    )
    assert result.figures["loss"] < 4.0
    assert hasattr(load_model(result.model), "peft_config")
