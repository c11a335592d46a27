"""Logged answers as batches: states, actions and rewards are where trlx has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from luciola.config.ilql import IlqlConfig
from luciola.config.load import from_mapping
from luciola.conversation.render import Renderer
from luciola.data.dialogues import standardized
from luciola.errors import DataError
from luciola.methods.logged import LoggedPlan, Logs, batch_of, load_logs
from luciola.methods.stream import lay_out
from luciola.tasks.walkers import letter_tokenizer
from luciola.types import Origin, Tokens
from reference_values import Source, sources

CPU = torch.device("cpu")
Load = Callable[..., Logs]


@pytest.fixture
def load() -> Load:
    renderer = Renderer(letter_tokenizer())

    def call(rows: Any = None, **settings: Any) -> Logs:
        given = {"model": "m", "data": "d", "max_length": 20, "max_new_tokens": 8, **settings}
        return load_logs(from_mapping(IlqlConfig, given), renderer, rows)

    return call


def tokens(pieces: list[tuple[list[int], bool]], number: int = 0) -> Tokens:
    ids = [token for piece, _ in pieces for token in piece]
    trained = [flag for piece, flag in pieces for _ in piece]
    origin = Origin("made", number + 1)
    return Tokens(np.array(ids, np.int32), np.array(trained, np.bool_), origin)


@pytest.mark.parametrize("kind", ["padded", "packed"])
@pytest.mark.parametrize("read", sources())
def test_states_actions_and_rewards_are_those_of_trlx(read: Source, kind: Any) -> None:
    """Of every sample in the row: where each state is read, what was done there, and what came of
    it.
    """
    golden = read("rl/ilql_data")
    samples = [
        tokens([(part["tokens"], part["is_output"]) for part in dialog])
        for dialog in golden["dialogs"]
    ]
    rewards = standardized(golden["rewards_in"]).tolist()
    (row,) = lay_out(samples, kind, 100)
    batch = batch_of(row, samples, rewards, CPU)
    expected = [golden["elements"][i] for i in row.examples]
    positions = batch.batch.positions[batch.batch.rows, batch.batch.columns]
    assert positions.tolist() == [p for one in expected for p in one["states_ixs"]]
    continues = [bool(done) for one in expected for done in one["dones"]]
    assert batch.continues[0].tolist() == continues
    counts = batch.continues[0, :-1]
    rewarded = [reward for one in expected for reward in one["rewards"]]
    assert batch.rewards[0][counts].tolist() == pytest.approx(rewarded, abs=1e-5)
    assert not batch.rewards[0][~counts].any(), "a last state has no reward"
    actions = [one["input_ids"][place + 1] for one in expected for place in one["actions_ixs"]]
    assert batch.actions[0][counts].tolist() == actions
    assert batch.num_actions == len(actions)


def test_a_batch_by_hand() -> None:
    """[5 | 6 7] with reward 2 and [8 9 | 10] with -1, packed in this order or the other."""
    samples = [tokens([([5], False), ([6, 7], True)]), tokens([([8, 9], False), ([10], True)], 1)]
    (row,) = lay_out(samples, "packed", 100)
    assert row.examples == (0, 1)
    batch = batch_of(row, samples, [2.0, -1.0], CPU)
    assert batch.batch.columns.tolist() == [0, 1, 2, 4, 5]
    assert batch.continues.tolist() == [[True, True, False, True, False]]
    assert batch.actions.tolist() == [[6, 7, 0, 10]]
    assert batch.rewards.tolist() == [[0, 2, 0, -1]]
    assert (batch.num_actions, batch.origins) == (3, ("made:1", "made:2"))


def test_a_row_that_only_keeps_step_counts_for_nothing() -> None:
    """The second process has no sample, and gets an empty batch."""
    samples = [tokens([([5], False), ([6, 7], True)])]
    logs = Logs(samples, [1.0], lambda epoch: np.arange(1), ())  # type: ignore[arg-type]
    (batch,) = LoggedPlan(logs, 1, 1, 0, "packed", 100, CPU, rank=1, size=2).step(0)
    assert (batch.num_actions, batch.origins) == (0, ())
    assert [tuple(t.shape) for t in (batch.actions, batch.rewards, batch.continues)] == [
        (1, 0), (1, 0), (1, 0),
    ]  # fmt: skip


def test_steps_take_every_sample_once_an_epoch(load: Load) -> None:
    rows = [{"prompt": "a", "output": "bcd"[: 1 + n % 3], "reward": n} for n in range(10)]
    logs = load(rows)
    plan = LoggedPlan(logs, 4, 2, 0, "padded", 12, CPU)
    assert (plan.steps_per_epoch, len(plan)) == (3, 6)
    for epoch in range(2):
        seen = [o for n in range(3) for b in plan.step(3 * epoch + n) for o in b.origins]
        assert sorted(seen) == sorted(f"data:{n + 1}" for n in range(10))
    assert plan.step(0)[0].origins != plan.step(3)[0].origins, "another order in each epoch"


def test_rewards_are_standardized_over_all_samples_unless_told_otherwise(load: Load) -> None:
    rows = [{"prompt": "a", "output": "b", "reward": r} for r in (1.0, -0.5, 2.0)]
    assert load(rows).rewards == pytest.approx([0.1324532, -1.0596258, 0.9271726])
    assert load(rows, standardize=False).rewards == [1.0, -0.5, 2.0]


def test_what_cutting_leaves_no_output_of_is_left_out_counted_and_told(load: Load) -> None:
    rows = [
        {"prompt": "abcdef", "output": "g", "reward": 1},
        {"prompt": "ab", "output": "cdefg", "reward": 2},
        {"prompt": "a", "output": "b", "reward": 3},
    ]
    logs = load(rows, max_length=4, max_new_tokens=1)
    assert [str(sample.origin) for sample in logs.samples] == ["data:2", "data:3"]
    assert logs.rewards == pytest.approx([-0.70710678, 0.70710678]), "of those that are left"
    assert logs.notes == (
        "2 samples with 4 actions, rewards 2 to 3, mean 2.5",
        "cut on the right at 4 tokens: 2",
        "left out, because cutting leaves no output of them: 1",
    )
    left = load(rows, max_length=4, max_new_tokens=1, truncation="left")
    assert len(left.samples) == 3
    assert left.notes[1:] == ("cut on the left at 4 tokens: 2",)


def test_data_without_any_usable_sample_are_refused(load: Load) -> None:
    row = {"prompt": "abcdef", "output": "g", "reward": 1}
    with pytest.raises(DataError, match="none of the 2 samples has an output within max_length=4"):
        load([row, row], max_length=4, max_new_tokens=1)
    with pytest.raises(DataError, match="no samples"):
        load([])


def test_a_file_without_samples_is_named(load: Load, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(DataError, match=r"empty\.jsonl: there are no samples"):
        load(data=str(empty))


def test_equal_rewards_are_told(load: Load) -> None:
    logs = load([{"prompt": "a", "output": "b", "reward": 0.1}] * 3)
    assert logs.rewards == [0, 0, 0]
    assert "nothing to learn but to imitate" in logs.notes[-1]


def test_files_folders_and_functions_give_the_same_samples(load: Load, tmp_path: Path) -> None:
    rows = [{"prompt": "a", "output": letter, "reward": n} for n, letter in enumerate("bcd")]
    lines = [json.dumps(row) + "\n" for row in rows]
    (tmp_path / "all.jsonl").write_text("".join(lines))
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/1.jsonl").write_text(lines[0])
    (tmp_path / "parts/2.jsonl").write_text("".join(lines[1:]))
    (tmp_path / "mine.py").write_text(f"def logs():\n    return {rows}\n")
    prints = {load(data=data).fingerprint() for data in ("all.jsonl", "parts", "mine.py:logs")} | {
        load(rows).fingerprint()
    }
    assert len(prints) == 1
    assert load(rows[:2]).fingerprint() not in prints
    rows[0]["reward"] = 5
    assert load(rows).fingerprint() not in prints, "a reward is part of the data"


def test_sources_are_weighted(load: Load, tmp_path: Path) -> None:
    for name in ("one", "two"):
        row = json.dumps({"prompt": "a", "output": "b", "reward": 1}) + "\n"
        (tmp_path / f"{name}.jsonl").write_text(row * 4)
    assert len(load(data=["one.jsonl", "two.jsonl@0.5"]).order(0)) == 6
