"""New special tokens: grown, trained, saved with the adapter or the whole, and loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import luciola
from luciola.config.training import LoraConfig, TrainingConfig
from luciola.errors import ConfigError
from luciola.methods.preparation import adapt, tokenizer_of
from luciola.models.actor_critic import using_adapter
from luciola.models.adapters import merged, trained_parameters
from luciola.models.load import load_model, load_tokenizer
from luciola.models.new_tokens import grow
from luciola.models.save import save_model
from support import build_llama, build_tokenizer, write_chats, write_model

WORDS = ("<table>", "<column>")
IDS = torch.tensor([[5, 97, 8, 98, 9, 97]])


def saved(folder: Path, *, tied: bool) -> Path:
    """A tiny model whose embeddings are tied, or not."""
    model: Any = build_llama(attention="sdpa")
    if not tied:
        model.config.tie_word_embeddings = False
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() * 0.9)
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("tied", [True, False])
def test_a_new_row_begins_as_the_mean_of_all_at_both_ends(tied: bool, tmp_path: Path) -> None:
    model: Any = load_model(saved(tmp_path / "m", tied=tied))
    before = (model.get_input_embeddings(), model.get_output_embeddings())
    means = [end.weight.detach().mean(0) for end in before]
    grow(model, 99)
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    for end, mean in zip(ends, means, strict=True):
        assert len(end.weight) == 99
        torch.testing.assert_close(end.weight[97:].detach(), mean.expand(2, -1))
    assert (ends[0].weight is ends[1].weight) == tied


def recipe(folder: Path, kind: str = "lora") -> TrainingConfig:
    """LoRA, or all weights, with two new words."""
    return TrainingConfig(
        model=str(folder),
        adapter=kind,  # type: ignore[arg-type]
        lora=LoraConfig(r=2),
        new_tokens=WORDS,
    )


def logits(model: Any) -> torch.Tensor:
    """(6, V) of tokens with new ones among them."""
    with torch.no_grad():
        found: torch.Tensor = model.eval()(IDS, use_cache=False).logits[0]
    return found


def trained(folder: Path, kind: str = "lora") -> Any:
    """The model after a few steps on the new tokens."""
    model = adapt(load_model(folder), recipe(folder, kind))
    optimizer = torch.optim.Adam(trained_parameters(model).values(), lr=1e-2)
    for _ in range(4):
        out: Any = model(IDS, use_cache=False)
        torch.nn.functional.cross_entropy(out.logits[0, :-1], IDS[0, 1:]).backward()
        optimizer.step()
        optimizer.zero_grad()
    return model


@pytest.mark.parametrize("tied", [True, False])
def test_new_rows_are_trained_saved_with_the_adapter_and_loaded(tied: bool, tmp_path: Path) -> None:
    folder = saved(tmp_path / "base", tied=tied)
    tokenizer = tokenizer_of(recipe(folder))
    assert tokenizer("a<table>").input_ids[-1] == 97
    model = trained(folder)
    with using_adapter(model, None), torch.no_grad():
        off = model.eval()(IDS[:, ::2], use_cache=False).logits[..., :97]
        assert torch.equal(off, load_model(folder)(IDS[:, ::2], use_cache=False).logits)
    expected = logits(model)
    save_model(model, tokenizer, tmp_path / "adapter", name=str(folder))
    assert torch.allclose(logits(load_model(tmp_path / "adapter")), expected, atol=1e-4)
    assert load_tokenizer(tmp_path / "adapter")("<column>").input_ids == [98]
    size = (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size
    whole = (folder / "model.safetensors").stat().st_size
    assert size < whole


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_with_new_tokens_says_the_same_merged(tied: bool, tmp_path: Path) -> None:
    model = trained(saved(tmp_path / "base", tied=tied))
    expected = logits(model)
    assert torch.allclose(logits(merged(model)), expected, atol=1e-3)


def test_old_rows_stay_and_tied_ends_stay_tied(tmp_path: Path) -> None:
    folder = saved(tmp_path / "base", tied=True)
    before = load_model(folder).get_input_embeddings().weight.clone()
    plain: Any = merged(trained(folder))
    inner, outer = plain.get_input_embeddings().weight, plain.get_output_embeddings().weight
    assert torch.equal(inner[:97], before)
    assert torch.equal(inner, outer)
    assert not torch.equal(inner[97], before.mean(0))


def test_a_whole_model_keeps_its_longer_embeddings(tmp_path: Path) -> None:
    folder = saved(tmp_path / "base", tied=True)
    model = trained(folder, "full")
    save_model(model, tokenizer_of(recipe(folder)), tmp_path / "whole", name=str(folder))
    assert torch.allclose(logits(load_model(tmp_path / "whole")), logits(model), atol=1e-4)


def test_a_run_with_new_tokens_ends_in_a_folder_that_knows_them(tmp_path: Path) -> None:
    result = luciola.sft(
        model=str(write_model(tmp_path / "model")),
        data=str(write_chats(tmp_path / "chats.jsonl", rows=6)),
        new_tokens=list(WORDS),
        epochs=1,
        device="cpu",
    )
    tokenizer = load_tokenizer(result.model)
    assert len(tokenizer("<table>").input_ids) == 1
    assert load_model(result.model).get_input_embeddings().weight.shape[0] == len(tokenizer)


def test_kinds_that_leave_the_embeddings_alone_refuse_new_tokens(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="new_tokens cannot be trained with adapter=ia3"):
        recipe(tmp_path, "ia3")
