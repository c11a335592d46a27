"""One operator for packed rows and trees: its numbers, its gradients, one graph for all rows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from luciola.models.attention import attend, placeholder_mask
from luciola.models.layout import ROOT, Layout
from luciola.models.segments import attend_segments
from support import VOCABULARY, build_llama

HEADS, WIDTH = 4, 8
ROWS = [
    ((7, 5, 9), (ROOT, ROOT, ROOT), None),
    ((7, 5, 9), (ROOT, 0, 0), None),
    ((7, 5, 9), (ROOT, 0, 0), 4),
    ((21,), (ROOT,), 3),
]


def by_mask(parts: list[Tensor], layout: Layout, window: int | None) -> Tensor:
    """(1, T, H, D) by one dense mask over the whole row, in float64."""
    query, key, value = (x.double() for x in parts)
    key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
    owner = torch.arange(len(layout.lengths)).repeat_interleave(torch.tensor(layout.lengths))
    parent = torch.tensor(layout.parents)[owner]
    starts = torch.tensor([0, *layout.lengths]).cumsum(0)
    own = torch.arange(len(owner)) - starts[owner]
    before = torch.where(parent == ROOT, 0, torch.tensor(layout.lengths)[parent])
    position = own + before
    same = owner[:, None] == owner
    seen = (same & (own[:, None] >= own)) | (parent[:, None] == owner)
    if window:
        seen &= position[:, None] - torch.where(same, position, own) < window
    scores = (query @ key.transpose(2, 3)) / WIDTH**0.5
    return (scores.masked_fill(~seen, -torch.inf).softmax(-1) @ value).transpose(1, 2)


@pytest.mark.parametrize(("lengths", "parents", "window"), ROWS)
def test_attention_and_gradients_are_those_of_a_dense_mask(
    lengths: tuple[int, ...], parents: tuple[int, ...], window: int | None
) -> None:
    torch.manual_seed(0)
    layout = Layout.of(lengths, parents)
    T = sum(lengths)
    drawn = [torch.randn(1, heads, T, WIDTH) for heads in (HEADS, 2, 2)]
    outer = torch.randn(1, T, HEADS, WIDTH)
    found = []
    for how in ("operator", "mask"):
        parts = [x.clone().requires_grad_() for x in drawn]
        if how == "mask":
            out = by_mask(parts, layout, window).float()
        else:
            module = torch.nn.Identity()
            out = attend(module, *parts, None, layout=layout, sliding_window=window)[0]  # type: ignore[call-arg]
        found.append([out, *torch.autograd.grad((out * outer).sum(), parts)])
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("lengths", "parents"), [((7, 5), (ROOT, ROOT)), ((7, 5, 4), (ROOT, 0, 0))]
)
def test_the_operator_is_what_torch_expects_of_one(
    lengths: tuple[int, ...], parents: tuple[int, ...]
) -> None:
    """Its shapes without numbers, its gradient, and its behaviour under dynamic shapes."""
    layout = Layout.of(lengths, parents)
    parts = [torch.randn(1, HEADS, sum(lengths), WIDTH, requires_grad=True) for _ in range(3)]
    given = (*parts, layout.queries, layout.keys, layout.key_index, None, 0)
    torch.library.opcheck(attend_segments, given)


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # torch's tracing reads it
def test_a_layer_compiles_into_one_graph_for_all_rows() -> None:
    """One without parents and one with. No break (fullgraph), no compilation for another length or
    number of segments; the same gradients as without.
    """
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    plain, compiled = (build_llama(layers=2).train() for _ in range(2))
    for layer in compiled.model.layers:
        layer.compile(dynamic=True, fullgraph=True, backend=counter)
    rows: list[Any] = [
        ((7, 5, 9), (ROOT,) * 3), ((17, 6, 3, 8), (ROOT,) * 4),
        ((17, 6, 3), (ROOT, 0, 0)), ((18, 6, 3, 9), (ROOT, 0, 0, 0)), ((5, 5), (ROOT, ROOT)),
    ]  # fmt: skip
    graphs = []
    for lengths, parents in rows:
        ids = torch.randint(VOCABULARY, (1, sum(lengths)))
        positions = torch.cat([torch.arange(n) for n in lengths])[None]
        found = []
        for model in (plain, compiled):
            model.zero_grad()
            out = model(
                input_ids=ids, position_ids=positions, attention_mask=placeholder_mask(ids.device),
                layout=Layout.of(lengths, parents), use_cache=False,
            )  # fmt: skip
            out.logits.square().mean().backward()
            found.append([p.grad for p in model.parameters()])
        torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-4)
        graphs.append(counter.frame_count)
    assert graphs[0] == graphs[1], "another length and number of segments"
    assert graphs[1] < graphs[2] == graphs[3] == graphs[4], "parents, then anything that was there"
    torch._dynamo.reset()
