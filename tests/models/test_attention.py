"""Packed and tree-shaped rows equal the same examples alone: logits, loss and gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GptOssConfig,
    MistralConfig,
    MptConfig,
    MptForCausalLM,
)

from luciola.data.rows import Row, Tree, packed_rows, padded_rows, tree_rows
from luciola.models.attention import Layout, computing_dtype
from luciola.models.batch import Batch, logits_of
from luciola.models.probe import isolates
from luciola.models.roles import Policy
from luciola.types import Tokens
from support import build_llama

LENGTHS = [40, 25, 33, 18]


def rows_of(kind: str, samples: list[Tokens]) -> list[Row]:
    """All samples in one row of `kind`."""
    if kind == "packed":
        return packed_rows(samples, 10_000)
    if kind == "padded":
        return padded_rows(samples, 10_000)
    return tree_rows(samples, [Tree(12, tuple(range(len(samples))))], 10_000)


def by_example(model: nn.Module, rows: list[Row], samples: list[Tokens]) -> list[Tensor]:
    """Logits of the trained tokens of each sample."""
    found: dict[int, Tensor] = {}
    for row in rows:
        logits = logits_of(model, Batch.of(row, "cpu"))
        begin = 0
        for member in row.examples:
            end = begin + int(samples[member].trained.sum())
            found[member] = logits[begin:end]
            begin = end
    return [found[i] for i in range(len(samples))]


def loss_and_gradients(model: nn.Module, rows: list[Row]) -> tuple[float, Tensor]:
    """Summed loss, and all gradients as one vector."""
    model.zero_grad()
    policy = Policy(model)
    total = 0.0
    for row in rows:
        batch = Batch.of(row, "cpu")
        loss = -policy(batch).logprobs.sum()
        loss.backward()
        total += loss.item()
    return total, torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("kind", ["packed", "padded", "tree"])
def test_logits_in_a_shared_row_equal_the_example_alone(kind: str, samples: Any) -> None:
    """Every trained token's logits, to rounding."""
    model = build_llama().eval()
    group = samples(LENGTHS, prefix=12 if kind == "tree" else 0)
    together = by_example(model, rows_of(kind, group), group)
    for sample, logits in zip(group, together, strict=True):
        alone = logits_of(model, Batch.of(packed_rows([sample], 0)[0], "cpu"))
        torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["packed", "padded", "tree"])
def test_loss_and_gradients_equal_those_of_single_examples(kind: str, samples: Any) -> None:
    """The whole gradient vector within 1e-5 of one example at a time."""
    model = build_llama().train()
    group = samples(LENGTHS, prefix=12 if kind == "tree" else 0)
    loss, gradient = loss_and_gradients(model, rows_of(kind, group))
    singles = [row for sample in group for row in padded_rows([sample], 0)]
    expected_loss, expected = loss_and_gradients(model, singles)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert float((gradient - expected).norm() / expected.norm()) < 1e-5


@pytest.mark.parametrize("kind", ["packed", "tree"])
def test_a_neighbour_cannot_be_seen(kind: str, samples: Any) -> None:
    """Other tokens in the row's first example leave all later ones as they are, bit for bit."""
    model = build_llama().eval()
    prefix = 12 if kind == "tree" else 0
    group = samples(LENGTHS, prefix=prefix)
    ids = samples(LENGTHS, seed=5)[0].ids.copy()
    ids[:prefix] = group[0].ids[:prefix]
    changed = [Tokens(ids, group[0].trained, group[0].origin, prefix), *group[1:]]
    assert rows_of(kind, group)[0].examples[0] == 0
    before = by_example(model, rows_of(kind, group), group)
    after = by_example(model, rows_of(kind, changed), changed)
    assert not torch.equal(before[0], after[0])
    assert all(torch.equal(before[i], after[i]) for i in (1, 2, 3))


def test_the_layout_gathers_the_parents_keys_before_the_segments_own() -> None:
    """Segments of 3, 2 and 2 tokens, the last two branches of the first: keys 012, 01234, 01256."""
    layout = Layout.of([3, 2, 2], [-1, 0, 0])
    assert layout.queries.tolist() == [0, 3, 5, 7]
    assert layout.keys.tolist() == [0, 3, 8, 13]
    assert layout.key_index is not None
    assert layout.key_index.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 0, 1, 2, 5, 6]
    assert layout.longest_key == 5


@pytest.mark.parametrize("kind", ["packed", "tree"])
def test_the_probe_trusts_isolating_attention_and_no_other(kind: str) -> None:
    """A model on plain SDPA ignores the layout: its examples see each other, and the probe says
    so.
    """
    assert isolates(build_llama(), kind, vocabulary=97)
    assert not isolates(build_llama(attention="sdpa"), kind, vocabulary=97)


def test_the_probe_passes_a_sliding_window() -> None:
    """Mistral with a window of 8: the window holds inside each example."""
    model = _tiny(MistralConfig, sliding_window=8)
    assert isolates(model, "packed", vocabulary=97)
    assert isolates(model, "tree", vocabulary=97)


@pytest.mark.parametrize("kind", ["packed", "tree"])
def test_soft_caps_and_sinks_are_isolated_and_are_those_of_the_family(kind: str) -> None:
    """Gemma 2 caps its scores, gpt-oss adds a sink to them; each equals its own eager attention."""
    for model in (
        _tiny(Gemma2Config, head_dim=8, attn_logit_softcapping=2.0, sliding_window=16),
        _tiny(
            GptOssConfig, head_dim=8, sliding_window=16, num_local_experts=2, num_experts_per_tok=1
        ),
    ):
        assert isolates(model, kind, vocabulary=97)
        ids = torch.arange(2, 42)[None] * 7 % 97
        with torch.no_grad():
            mine = model(ids, use_cache=False).logits
            model.set_attn_implementation("eager")
            torch.testing.assert_close(mine, model(ids, use_cache=False).logits)


def test_the_probe_refuses_attention_that_cannot_be_isolated() -> None:
    """MPT adds ALiBi to its scores, in an attention of its own: no error, but no packing."""
    torch.manual_seed(0)
    config = MptConfig(d_model=32, n_heads=4, n_layers=2, vocab_size=97, max_seq_len=256)
    assert not isolates(MptForCausalLM(config).eval(), "packed", vocabulary=97)


def _tiny(config_class: Any, **settings: Any) -> Any:
    torch.manual_seed(0)
    config = config_class(
        vocab_size=97, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, pad_token_id=0, **settings,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config, attn_implementation="luciola")


def test_attention_is_computed_in_the_type_of_autocast() -> None:
    """A float32 query under bfloat16 autocast takes the bfloat16 path, and only there."""
    query = torch.zeros(1, 2, 3, 4)
    assert computing_dtype(query) == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert computing_dtype(query) == torch.bfloat16
