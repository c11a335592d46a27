"""On a GPU: the fast path isolates as the slow one does, and a deterministic run resumes
exactly.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import luciola
from luciola.data.rows import Tree, packed_rows, padded_rows, tree_rows
from luciola.models.batch import Batch, logits_of
from luciola.models.probe import isolates
from luciola.models.roles import Policy
from luciola.types import Tokens
from support import build_llama, write_chats, write_model

pytestmark = pytest.mark.gpu
LENGTHS = [200, 120, 180, 75, 63]
PREFIX = 40


def rows_of(kind: str, samples: list[Tokens]) -> Any:
    """All samples in one row of `kind`."""
    if kind == "packed":
        return packed_rows(samples, 10_000)
    return tree_rows(samples, [Tree(PREFIX, tuple(range(len(samples))))], 10_000)


def gradient(model: Any, rows: Any, *, autocast: bool) -> torch.Tensor:
    """All gradients of the summed loss as one vector."""
    model.zero_grad()
    policy = Policy(model, autocast=autocast)
    for row in rows:
        batch = Batch.of(row, "cuda")
        (-policy(batch).logprobs.sum()).backward()
    return torch.cat([p.grad.flatten().float() for p in model.parameters()])


@pytest.mark.parametrize("kind", ["packed", "tree"])
@pytest.mark.parametrize("autocast", [False, True])
def test_gradients_equal_those_of_single_examples(kind: str, autocast: bool, samples: Any) -> None:
    """In float32 within 1e-5; in bfloat16 no further from the float32 truth than padded rows
    are.
    """
    model = build_llama(sharpness=2).cuda().train()
    group = samples(LENGTHS, prefix=PREFIX)
    singles = [row for sample in group for row in padded_rows([sample], 0)]
    truth = gradient(model, singles, autocast=False)
    off = distance(gradient(model, rows_of(kind, group), autocast=autocast), truth)
    allowed = 1.5 * distance(gradient(model, singles, autocast=True), truth) if autocast else 1e-5
    assert off <= allowed


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Relative distance of two vectors."""
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("kind", ["packed", "tree"])
def test_a_neighbour_cannot_be_seen_by_the_flash_kernel(kind: str, samples: Any) -> None:
    """Other tokens in the row's first example leave all later ones as they are, bit for bit."""
    model = build_llama().cuda().eval()
    group = samples(LENGTHS, prefix=PREFIX)
    ids = samples(LENGTHS, seed=5)[0].ids.copy()
    ids[:PREFIX] = group[0].ids[:PREFIX]
    changed = [Tokens(ids, group[0].trained, group[0].origin, PREFIX), *group[1:]]

    def later(mixed: list[Tokens]) -> torch.Tensor:
        row = rows_of(kind, mixed)[0]
        first = int(group[row.examples[0]].trained.sum())
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
            return logits_of(model, Batch.of(row, "cuda"))[first:]

    assert torch.equal(later(group), later(changed))


@pytest.mark.parametrize("kind", ["packed", "tree"])
def test_the_probe_passes_on_the_gpu_and_catches_plain_attention(kind: str) -> None:
    assert isolates(build_llama().cuda(), kind, vocabulary=97, autocast=True)
    plain = build_llama(attention="sdpa").cuda()
    assert not isolates(plain, kind, vocabulary=97, autocast=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inductor itself raises some
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # dynamo, 2.11
def test_compiled_layers_train_as_plain_ones_do(tmp_path: Path) -> None:
    """Losses of a compiled run within bfloat16's rounding of the plain run's."""
    model, chats = write_model(tmp_path / "model"), write_chats(tmp_path / "chats.jsonl")
    losses = []
    for compiled in (False, True):
        result = luciola.sft(
            model=str(model), data=str(chats), out=f"run-{compiled}", adapter="full",
            compile=compiled, lr=1e-3, max_length=128, batch=8,
        )  # fmt: skip
        assert result.figures["packing"] != "padded"
        losses.append(result.figures["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=0.03)


def test_a_deterministic_run_resumes_bit_for_bit(tmp_path: Path) -> None:
    """Two halves equal the whole under deterministic=true; printed is what it costs."""
    from luciola.training import loop

    model, chats = write_model(tmp_path / "model"), write_chats(tmp_path / "chats.jsonl", 96)
    settings: dict[str, Any] = {
        "model": str(model), "data": str(chats), "lr": 1e-2, "max_length": 128, "batch": 8,
        "epochs": 4, "save_every": 5, "deterministic": True, "adapter": "full",
    }  # fmt: skip
    began = time.perf_counter()
    whole = luciola.sft(**settings, out="whole")
    exact_s = time.perf_counter() - began
    real = loop.Loop._save_if_due

    def interrupted(self: Any) -> None:
        real(self)
        if self.counters.step == 23:
            raise KeyboardInterrupt

    loop.Loop._save_if_due = interrupted  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            luciola.sft(**settings, out="parts")
    finally:
        loop.Loop._save_if_due = real  # type: ignore[method-assign]
    parts = luciola.sft(**settings, out="parts")
    one, other = (load_file(r.model / "model.safetensors") for r in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)
    began = time.perf_counter()
    luciola.sft(**{**settings, "deterministic": False}, out="fast")
    print(f"deterministic {exact_s:.1f} s, otherwise {time.perf_counter() - began:.1f} s")
