"""The loop with the fine-tuning method: invariants that any change must keep."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from luciola.config.training import LoraConfig
from luciola.errors import TrainingError
from luciola.methods.examples import Order
from luciola.methods.sft import Sft
from luciola.methods.stream import Plan, Rendered, lay_out, share
from luciola.models.adapters import attach_lora, trained_parameters
from luciola.models.batch import Batch
from luciola.models.roles import Policy
from luciola.training import checkpoint
from luciola.training.loop import Loop, LoopSettings
from luciola.training.method import Term
from luciola.training.optimizer import Average, build_optimizer
from luciola.training.schedule import Schedule
from luciola.training.world import World
from luciola.types import Tokens
from support import build_llama

LENGTHS = [int(n) for n in np.random.default_rng(0).integers(18, 40, 24)]


class PlugPulledError(Exception):
    """The test pulled the plug."""


class Lines:
    """A log that keeps what it is given."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self.rows.append((step, dict(metrics)))

    def forget_after(self, step: int) -> None:
        self.rows = [row for row in self.rows if row[0] <= step]

    def note(self, text: str) -> None:
        pass

    def losses(self) -> list[float]:
        """Training loss by step."""
        return [row["loss"] for _, row in self.rows if "loss" in row]


def build(
    group: list[Tokens],
    *,
    kind: str = "packed",
    capacity: int = 100,
    lora: bool = True,
    dropout: float = 0.0,
    folder: Path | None = None,
    held_out: list[Tokens] | None = None,
    ema: float = 0.0,
    **settings: Any,
) -> Loop[Batch]:
    """A loop over two epochs of `group`, eight examples a step."""
    world = World("cpu")
    model: Any = build_llama()
    if lora:
        model = attach_lora(model, LoraConfig(r=4, dropout=dropout), run_seed=0)
    policy = Policy(model)
    parameters = trained_parameters(policy)
    order = Order((len(group),), (1.0,), 0)
    plan = Plan(Rendered(group), order, 8, 2.0, 0, kind, capacity)  # type: ignore[arg-type]
    method = Sft(world.prepare(policy), plan, world, held_out=held_out or [])
    optimizer = build_optimizer(
        parameters, kind="adamw", lr=0.0, betas=(0.9, 0.999), weight_decay=0.1
    )
    loop_settings = LoopSettings(total_steps=len(plan), max_grad_norm=1.0)
    return Loop(
        method=method,
        settings=replace(loop_settings, **settings),
        schedule=Schedule(1e-2, len(plan), warmup=2),
        optimizer=optimizer,
        parameters=parameters,
        world=world,
        folder=folder,
        log=Lines(),
        average=Average(parameters, ema) if ema else None,
    )


def weights(loop: Loop[Batch]) -> torch.Tensor:
    """Everything trained, as one vector."""
    return torch.cat([p.detach().flatten().clone() for p in loop.parameters.values()])


@pytest.mark.parametrize("kind", ["packed", "tree", "padded"])
@pytest.mark.parametrize("capacity", [40, 10_000])
def test_neither_packing_nor_the_micro_batch_changes_the_result(
    kind: str, capacity: int, samples: Any
) -> None:
    """Losses of six steps equal those of padded rows of one example, to rounding."""
    group = samples(LENGTHS, prefix=17)
    expected, loop = build(group, kind="padded", capacity=1), build(group, kind=kind)
    loop = build(group, kind=kind, capacity=capacity)
    expected.run()
    loop.run()
    assert loop.log.losses() == pytest.approx(expected.log.losses(), rel=2e-4)  # type: ignore[attr-defined]


def test_training_lowers_the_loss(samples: Any) -> None:
    """Random answers by heart: two epochs take at least a tenth off the loss."""
    loop = build(samples(LENGTHS), lora=False)
    loop.run()
    losses = loop.log.losses()  # type: ignore[attr-defined]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    ema: float, samples: Any, tmp_path: Path
) -> None:
    """PlugPulledError after step 4 of 6 with its last checkpoint at step 3: same weights, same
    figures.
    """
    group = samples(LENGTHS)
    options: dict[str, Any] = {"dropout": 0.2, "ema": ema, "save_every": 3}
    whole = build(group, folder=tmp_path / "whole", **options)
    whole.run()

    first = build(group, folder=tmp_path / "parts", **options)

    def pull_the_plug(step: int) -> None:
        if step == 4:
            raise PlugPulledError

    first.after_step = pull_the_plug
    with pytest.raises(PlugPulledError):
        first.run()
    second = build(group, folder=tmp_path / "parts", **options)
    second.log = first.log
    second.run()
    assert torch.equal(weights(whole), weights(second))
    assert whole.log.losses() == second.log.losses()  # type: ignore[attr-defined]
    if whole.average is not None and second.average is not None:
        assert all(
            torch.equal(value, second.average.values[name])
            for name, value in whole.average.values.items()
        )


def test_only_the_newest_checkpoints_are_kept(samples: Any, tmp_path: Path) -> None:
    loop = build(samples(LENGTHS), folder=tmp_path, save_every=2, keep=2)
    loop.run()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000004", "step-000006"]


def test_a_damaged_checkpoint_is_named(samples: Any, tmp_path: Path) -> None:
    loop = build(samples(LENGTHS), folder=tmp_path, save_every=6)
    loop.run()
    (tmp_path / "step-000006" / "optimizer.pt").write_bytes(b"torn")
    with pytest.raises(checkpoint.StorageError, match="step-000006"):
        build(samples(LENGTHS), folder=tmp_path).run()


def test_a_loss_that_is_no_number_stops_before_the_weights_change(samples: Any) -> None:
    """The error names the step, counted from 1 as progress does, and the examples' lines."""
    group = samples(LENGTHS)
    loop = build(group)
    before = weights(loop)
    real_loss = loop.method.loss

    def broken(batch: Batch) -> Mapping[str, Term]:
        terms = dict(real_loss(batch))
        terms["nll"] = Term(terms["nll"].sum * float("nan"), "trained_tokens")
        return terms

    loop.method.loss = broken  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"nan.*step 1,.*made\.jsonl:\d+"):
        loop.run()
    assert torch.equal(before, weights(loop))


def test_evaluation_stops_a_run_that_no_longer_gains_and_keeps_its_best_weights(
    samples: Any, tmp_path: Path
) -> None:
    """Held-out answers are unrelated, so the loss on them soon rises; patience 1 ends the run.

    The first evaluation comes before the first checkpoint, so nothing has made the folder yet.
    """
    held_out = samples([20] * 6, seed=9)
    folder = tmp_path / "checkpoints"
    loop = build(
        samples(LENGTHS), lora=False, held_out=held_out, folder=folder, eval_every=1, patience=1
    )
    outcome = loop.run()
    assert outcome.ending == "stopped early"
    assert outcome.counters.step == outcome.counters.best_step + 1
    best = checkpoint.load_weights(folder / "best.safetensors")
    checkpoint.restore(best, loop.parameters)
    assert loop.evaluate()["eval/loss"] == pytest.approx(outcome.counters.best_loss, rel=1e-6)


def test_a_full_disk_leaves_the_best_weights_before(samples: Any, tmp_path: Path) -> None:
    """Rust reports the full disk in words of its own; the file is the old one, whole."""
    best = tmp_path / "best.safetensors"
    loop = build(samples(LENGTHS), folder=tmp_path)
    loop._judge(2.0)
    before = best.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(checkpoint.StorageError, match="could not be written"):
            loop._judge(1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert best.read_bytes() == before
    assert list(tmp_path.iterdir()) == [best]


def test_the_last_step_of_an_epoch_may_be_smaller_and_counts_by_its_tokens(samples: Any) -> None:
    """Five examples in steps of two: three steps an epoch, every example once."""
    group = samples([10, 12, 14, 16, 18])
    plan = Plan(Rendered(group), Order((5,), (1.0,), 3), 2, 1.0, 0, "packed", 100)
    origins = [s.origin.line for step in range(len(plan)) for s in plan.samples(step)]
    assert len(plan) == 3
    assert sorted(origins) == [1, 2, 3, 4, 5]


def test_a_full_disk_leaves_the_checkpoint_before(
    samples: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing fails at step 4: one sentence, and step 2 is still whole."""
    loop = build(samples(LENGTHS), folder=tmp_path, save_every=2)

    def full(*_: Any, **__: Any) -> None:
        if loop.counters.step == 4:
            raise OSError(28, "No space left on device")
        save_file(*_, **__)

    save_file = checkpoint.save_file
    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(checkpoint.StorageError, match="disk or quota is full"):
        loop.run()
    assert [p.name for p in tmp_path.iterdir()] == ["step-000002"]
    assert checkpoint.load(tmp_path / "step-000002").step == 2
    shutil.rmtree(tmp_path)


def test_a_row_that_only_keeps_a_process_in_step_counts_for_nothing(samples: Any) -> None:
    """One row for two processes: the second gets a copy that trains nothing, and 0 tokens."""
    group = samples([10, 12])
    loop = build(group)
    first, second = (share(lay_out(group, "packed", 100), rank, 2) for rank in (0, 1))
    weights = [loop.method.weights(Batch.of(rows[0], "cpu")) for rows in (first, second)]
    assert [one["tokens"] for one in weights] == [22, 0]
    assert weights[1]["trained_tokens"] == 0
