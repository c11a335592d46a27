"""ILQL's heads: what they compute, what is trained of them, and how they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from luciola.data.rows import packed_rows, padded_rows
from luciola.errors import ModelError
from luciola.models.batch import Batch
from luciola.models.head import output_head
from luciola.models.q_heads import (
    QCard,
    QHeads,
    QRoles,
    calls_of,
    has_heads,
    heads_for,
    load_heads,
    save_heads,
)
from luciola.objectives.ilql import synchronise
from reference_values import Source, sources


@pytest.mark.parametrize("read", sources())
def test_heads_compute_what_trlx_computes(read: Source) -> None:
    golden = read("rl/ilql_heads")
    heads = QHeads(golden["hidden"], golden["vocab"], two_qs=golden["two_qs"])
    weights = {name: torch.tensor(value) for name, value in golden["state_dict"].items()}
    heads.load_state_dict(weights)
    states = torch.tensor(golden["hidden_states"])
    rows = torch.arange(len(states))[:, None]
    found = heads(states[rows, torch.tensor(golden["actions_ixs"])])
    close = {"rtol": 1e-4, "atol": 1e-5}
    for ours, theirs in zip(found.qs, golden["qs"], strict=True):
        torch.testing.assert_close(ours, torch.tensor(theirs), **close)
    for ours, theirs in zip(found.target_qs, golden["target_qs"], strict=True):
        torch.testing.assert_close(ours, torch.tensor(theirs), **close)
    values = heads(states[rows, torch.tensor(golden["states_ixs"])]).values
    torch.testing.assert_close(values, torch.tensor(golden["vs"]), **close)
    synchronise(heads.target_q_heads, heads.q_heads, golden["alpha"])
    moved = heads.state_dict()
    for name, value in golden["target_after_one_sync"].items():
        key = name if name in moved else f"target_q_heads.{name}"
        torch.testing.assert_close(moved[key], torch.tensor(value), **close)


@pytest.mark.parametrize("two_qs", [True, False])
def test_targets_begin_as_copies_and_are_never_trained(two_qs: bool) -> None:
    heads = QHeads(8, 5, two_qs=two_qs)
    found = heads(torch.randn(3, 8))
    assert [tuple(q.shape) for q in found.qs] == [(3, 5)] * (1 + two_qs)
    assert found.values.shape == (3, 1)
    for q, target in zip(found.qs, found.target_qs, strict=True):
        assert torch.equal(q, target)
        assert q.requires_grad and not target.requires_grad
    trained = {name.partition(".")[0] for name, p in heads.named_parameters() if p.requires_grad}
    assert trained == {"v_head", "q_heads"}


def test_two_q_heads_begin_apart(llama: Any) -> None:
    """Two copies of one head would stay the same, and their minimum would say nothing."""
    first, second = heads_for(llama, two_qs=True, run_seed=0).q_heads
    assert not torch.equal(first[0].weight, second[0].weight)  # type: ignore[index]


def test_the_start_follows_from_the_seed(llama: Any) -> None:
    def start(seed: int) -> torch.Tensor:
        heads = heads_for(llama, two_qs=True, run_seed=seed)
        return torch.cat([p.flatten() for p in heads.parameters()])

    assert torch.equal(start(3), start(3))
    assert not torch.equal(start(3), start(4))


@pytest.mark.parametrize("lay_out", [padded_rows, packed_rows])
def test_roles_read_the_states_that_enter_the_output_head(
    llama: Any, samples: Any, lay_out: Any
) -> None:
    """In every layout the same as the model's last hidden states, one sample at a time."""
    made = samples([7, 12, 9])
    roles = QRoles(llama, heads_for(llama, two_qs=True, run_seed=0)).eval()
    (row,) = lay_out(made, 100)
    with torch.no_grad():
        found = roles(Batch.of(row, "cpu"))
        start = 0
        for number in row.examples:
            tokens = made[number]
            ids = torch.from_numpy(tokens.ids).long()[None]
            out = llama(ids, output_hidden_states=True, use_cache=False)
            actions = torch.from_numpy(tokens.ids).long()[torch.from_numpy(tokens.trained)]
            places = torch.from_numpy(tokens.trained).nonzero()[:, 0] - 1
            alone = roles.heads(out.hidden_states[-1][0, places])
            end = start + len(places)
            close = {"rtol": 1e-4, "atol": 1e-4}
            at = actions[:, None]
            expected = out.logits[0, places].log_softmax(-1).gather(1, at)[:, 0]
            torch.testing.assert_close(found.logprobs[start:end], expected, **close)
            for name, tables in (("qs", alone.qs), ("target_qs", alone.target_qs)):
                ours = getattr(found.estimates, name)[1][start:end]
                torch.testing.assert_close(ours, tables[1].gather(1, at)[:, 0], **close)
            ours = found.estimates.logprobs[1][start:end]
            expected = alone.qs[1].log_softmax(-1).gather(1, at)[:, 0]
            torch.testing.assert_close(ours, expected, **close)
            ours = found.estimates.values[start:end]
            torch.testing.assert_close(ours, alone.values[:, 0], **close)
            start = end
    assert start == len(found.logprobs)


def test_watching_a_layer_leaves_nothing_on_it(llama: Any) -> None:
    head = output_head(llama)
    with calls_of(head) as calls:
        llama(torch.tensor([[1, 2, 3]]))
    llama(torch.tensor([[1, 2, 3]]))
    assert [tuple(call.shape) for call in calls] == [(1, 3, 32)]
    assert not head._forward_pre_hooks


def test_saved_heads_load_again(llama: Any, tmp_path: Path) -> None:
    heads, card = heads_for(llama, two_qs=False, run_seed=5), QCard(beta=100, top_k=3, chat=True)
    assert not has_heads(tmp_path)
    save_heads(heads, card, tmp_path)
    assert has_heads(tmp_path)
    again, known = load_heads(tmp_path, llama)
    assert known == card
    pairs = zip(heads.state_dict().items(), again.state_dict().items(), strict=True)
    assert all(one[0] == other[0] and torch.equal(one[1], other[1]) for one, other in pairs)


def test_heads_that_are_missing_damaged_or_of_another_model_are_named(
    llama: Any, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no heads of ILQL"):
        load_heads(tmp_path, llama)
    save_heads(QHeads(4, 6), QCard(), tmp_path)
    with pytest.raises(ModelError, match=r"do not fit its model, or are damaged"):
        load_heads(tmp_path, llama)
    (tmp_path / "ilql_heads.safetensors").write_bytes(b"half")
    with pytest.raises(ModelError, match="are damaged"):
        load_heads(tmp_path, llama)
