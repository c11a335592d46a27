"""Two models compared on text, and the bound that rounding explains."""

from __future__ import annotations

import math

import pytest
import torch

from luciola.errors import ModelError
from luciola.models.agreement import (
    Agreement,
    Probe,
    check_explained,
    compare,
    largest_distance,
    probe_rows,
)
from luciola.models.rounding import float_step
from models_on_disk import build_tokenizer
from support import build_llama


def test_figures_of_one_position_by_hand() -> None:
    """p = (2/3, 1/3), q = (1/3, 2/3): KL = ln 2 / 3; logits ±ln 2 / 2 change sign, so move ln 2."""
    before = torch.tensor([[math.log(2.0), 0.0]])
    seen = compare(before, before.flip(1))
    assert seen.kl_mean == pytest.approx(math.log(2) / 3)
    assert seen.kl_max == pytest.approx(math.log(2) / 3)
    assert seen.same_choice == 0
    assert seen.distance == pytest.approx(math.log(2))
    assert seen.scale == pytest.approx(math.log(2) / 2)


def test_a_constant_added_to_all_logits_is_no_difference() -> None:
    logits = torch.randn(5, 7)
    seen = compare(logits, logits + 3)
    assert seen.distance == pytest.approx(0, abs=1e-6)
    assert seen.same_choice == 1


def test_rounding_to_bfloat16_lies_within_the_bound_and_a_changed_layer_does_not() -> None:
    model = build_llama(attention="sdpa").eval()
    probe = Probe.of(model, build_tokenizer())
    model.to(torch.bfloat16)
    noise = {name: float_step(torch.bfloat16) for name, _ in model.named_parameters()}
    seen, rounding = probe.compared(model, noise)
    assert 0 < seen.distance < largest_distance(rounding)
    model.model.layers[1].mlp.down_proj.weight.data.mul_(1.5)
    changed, _ = probe.compared(model, noise)
    with pytest.raises(ModelError, match=r"the copy does not say .* rounding explains"):
        check_explained(changed, rounding, what="the copy", remedy="Look.")


def test_logits_that_are_no_numbers_are_refused() -> None:
    figures = Agreement(1, 0.0, 0.0, 1.0, math.nan, 1.0)
    with pytest.raises(ModelError, match="moved by nan"):
        check_explained(figures, Agreement(1, 0.0, 0.0, 1.0, 0.1, 1.0), what="it", remedy="")


def test_the_probe_has_chats_where_there_is_a_template() -> None:
    model, tokenizer = build_llama(attention="sdpa"), build_tokenizer()
    rows = probe_rows(tokenizer, model)
    assert "<user>Why do" in tokenizer.decode(rows[-2])
    tokenizer.chat_template = None
    assert len(probe_rows(tokenizer, model)) == len(rows) - 2


def test_a_tokenizer_that_outgrew_the_model_is_refused() -> None:
    tokenizer = build_tokenizer()
    tokenizer.add_tokens(["<new>"])
    with pytest.raises(ModelError, match="98 tokens, but the model has embeddings for 97"):
        probe_rows(tokenizer, build_llama(attention="sdpa"))
