"""Out of memory in a step: it is taken again in smaller micro-batches, with the same result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import luciola
from luciola.config.training import LoraConfig
from luciola.errors import TrainingError
from luciola.methods.base import Plain
from luciola.methods.comparing import Comparing
from luciola.methods.examples import Order
from luciola.methods.ilql import Ilql
from luciola.methods.online.method import Online
from luciola.methods.sft import Sft
from luciola.methods.stream import Plan, Rendered
from luciola.models.adapters import attach_lora, trained_parameters
from luciola.models.batch import Batch
from luciola.models.roles import Policy
from luciola.training.loop import Loop, LoopSettings
from luciola.training.method import Term
from luciola.training.optimizer import build_optimizer
from luciola.training.schedule import Schedule
from luciola.training.step import MicroBatchTooLargeError
from luciola.training.world import World
from luciola.types import Tokens
from support import build_llama

LENGTHS = [int(n) for n in np.random.default_rng(0).integers(18, 40, 16)]
Make = Callable[..., list[Tokens]]


class Lines:
    """A log that keeps what it is given."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.notes: list[str] = []

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self.losses.append(metrics["loss"])

    def forget_after(self, step: int) -> None:
        del self.losses[step:]

    def note(self, text: str) -> None:
        self.notes.append(text)


class Narrow(Sft):
    """Fine-tuning on a device whose memory ends at `most` tokens, in the backward pass too."""

    most = 10_000

    def loss(self, batch: Batch) -> dict[str, Term]:
        terms = super().loss(batch)
        if batch.ids.numel() > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return terms


def build(group: list[Tokens], most: int, folder: Path | None = None, kind: Any = "packed") -> Any:
    """A loop over `group`, eight examples a step, and its log."""
    world = World("cpu")
    policy = Policy(attach_lora(build_llama(), LoraConfig(r=4), run_seed=0))
    parameters = trained_parameters(policy)
    plan = Plan(Rendered(group), Order((len(group),), (1.0,), 0), 8, 2.0, 0, kind, 1000)
    method = Narrow(policy, plan, world)
    method.most = most
    optimizer = build_optimizer(
        parameters, kind="adamw", lr=0.0, betas=(0.9, 0.999), weight_decay=0.0
    )
    log = Lines()
    settings = LoopSettings(total_steps=len(plan), save_every=2, keep=9)
    loop: Loop[Batch] = Loop(
        method, settings, Schedule(1e-2, len(plan)), optimizer, parameters, world, folder, log
    )
    return loop, log


@pytest.mark.parametrize("kind", ["packed", "padded", "tree"])
def test_running_out_of_memory_changes_no_loss(samples: Make, kind: str) -> None:
    """In the first step 8 examples of together ~230 tokens must go into rows of at most 64."""
    group = samples(LENGTHS, prefix=16 if kind == "tree" else 0)
    roomy, narrow = build(group, 10_000, kind=kind), build(group, 64, kind=kind)
    for loop, _ in (roomy, narrow):
        loop.run()
    assert roomy[1].notes == []
    assert narrow[1].losses == pytest.approx(roomy[1].losses, rel=1e-5)
    assert narrow[0].method.plan.capacity <= 64
    assert all("out of memory in step 1" in note for note in narrow[1].notes)


def test_the_smaller_size_outlives_the_run(samples: Make, tmp_path: Path) -> None:
    first, _ = build(samples(LENGTHS), 64, tmp_path)
    first.run()
    again, _ = build(samples(LENGTHS), 64, tmp_path)
    again._resume()
    assert again.method.plan.capacity == first.method.plan.capacity <= 64


def test_where_one_example_is_too_much_the_run_ends(samples: Make) -> None:
    loop, log = build(samples(LENGTHS), 12)
    before = [p.clone() for p in loop.parameters.values()]
    with pytest.raises(MicroBatchTooLargeError, match="Tried to allocate 2"):
        loop.run()
    assert "micro-batches to 8," in log.notes[-1]
    assert all(p.grad is None for p in loop.parameters.values())
    assert all(torch.equal(a, b) for a, b in zip(before, loop.parameters.values(), strict=True))


def test_a_long_example_alone_ends_the_run_too(samples: Make) -> None:
    """Two of 18 tokens fit beside one of 36 in rows of 36: they are parted, and nothing is tried
    for ever.
    """
    loop, log = build(samples([36, 18, 18, 17]), 30)
    with pytest.raises(MicroBatchTooLargeError):
        loop.run()
    assert len(log.notes) <= 3
    assert "micro-batches to 4," in log.notes[-1]


PAIRS: list[dict[str, Any]] = [
    {"prompt": f"what is {n}?", "chosen": f"it is {n}", "rejected": "no idea " * (1 + n % 3)}
    for n in range(1, 9)
]
LOGS: list[dict[str, Any]] = [
    {"prompt": f"say {n}", "output": str(n) * 4, "reward": n / 8} for n in range(8)
]
SETTINGS = {"lr": 1e-3, "precision": "fp32", "device": "cpu", "max_length": 128, "max_steps": 2}


def injected(patch: pytest.MonkeyPatch, method: type[Plain], most: int) -> list[int]:
    """Let the losses of `method` run out of memory above `most` tokens; the sizes that passed."""
    passed: list[int] = []
    loss = method.loss  # type: ignore[attr-defined]

    def narrow(self: Any, batch: Any) -> Any:
        size = batch.batch.ids.numel()
        if size > most:
            raise torch.OutOfMemoryError("full")
        passed.append(size)
        return loss(self, batch)

    patch.setattr(method, "loss", narrow)
    return passed


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    """Rows as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def runs(name: str, model: str, tmp_path: Path) -> Callable[[str], Any]:
    """A short run of a method into a folder, all of a step in one micro-batch."""
    data = write(tmp_path / "data.jsonl", PAIRS if name == "dpo" else LOGS)
    if name == "ppo":

        def reward(answers: list[str]) -> list[float]:
            return [float(len(answer)) for answer in answers]

        return lambda out: luciola.ppo(
            model=model, prompts=["say a", "say b", "go on"], reward=reward, out=out,
            rollouts=8, batch=8, updates=1, max_new_tokens=12, iterations=2, trace_prompts=0,
            **SETTINGS,
        )  # fmt: skip
    method = getattr(luciola, name)
    return lambda out: method(
        model=model, data=data, out=out, batch=8, packing="packed", **SETTINGS
    )


@pytest.mark.parametrize(("name", "method"), [("dpo", None), ("ilql", Ilql), ("ppo", Online)])
def test_every_method_takes_its_step_again(
    name: str, method: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from luciola.methods.dpo import Dpo
    from support import write_model

    assert issubclass(Dpo, Comparing)
    run = runs(name, str(write_model(tmp_path / "model")), tmp_path)
    whole = run("whole")
    passed = injected(monkeypatch, method or Dpo, 120)
    cut = run("cut")
    assert len(passed) >= 4  # two a step at least, and two steps
    assert cut.figures["loss"] == pytest.approx(whole.figures["loss"], rel=1e-4, abs=1e-6)


def no_room_without_gradients(patch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Let every pass without gradients run out of memory above `most` tokens; the sizes that
    passed.
    """
    from luciola.models.classifier import RewardModel

    passed: list[int] = []

    def limited(forward: Any) -> Any:
        def narrow(self: Any, batch: Batch, *wanted: Any) -> Any:
            if not torch.is_grad_enabled():
                if batch.ids.numel() > most:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
                passed.append(batch.ids.numel())
            return forward(self, batch, *wanted)

        return narrow

    for roles in (Policy, RewardModel):
        patch.setattr(roles, "forward", limited(roles.forward))
    return passed


@pytest.mark.parametrize("name", ["sft", "dpo", "reward_model"])
def test_evaluations_take_smaller_rows_with_the_same_result(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Held-out losses, DPO's reference, and a reward model's judgement at the end; the smaller rows
    are kept for what follows.
    """
    from support import write_model

    model = str(write_model(tmp_path / "model"))
    rows = [{"messages": chat(pair)} for pair in PAIRS] if name == "sft" else PAIRS
    data = write(tmp_path / "data.jsonl", rows)

    def run(out: str) -> list[float]:
        getattr(luciola, name)(
            model=model, data=data, out=out, batch=2, eval_fraction=0.5, eval_every=1,
            micro_tokens=4096, packing="packed", **SETTINGS,
        )  # fmt: skip
        return figures(Path(out), "eval/loss")

    caplog.set_level("INFO")
    whole = run("whole")
    assert "out of memory" not in caplog.text
    passed = no_room_without_gradients(monkeypatch, 130)
    cut = run("cut")
    assert len(whole) == len(cut) >= 2
    assert cut == pytest.approx(whole, rel=1e-5)
    assert 0 < max(passed) <= 130
    assert "out of memory without gradients" in caplog.text
    with pytest.raises(TrainingError, match="one example of up to 128 tokens"):
        passed = no_room_without_gradients(monkeypatch, 15)
        run("nothing")


def chat(pair: dict[str, Any]) -> list[dict[str, str]]:
    """A comparison's better answer as a conversation."""
    asked = {"role": "user", "content": pair["prompt"]}
    return [asked, {"role": "assistant", "content": pair["chosen"]}]


def figures(folder: Path, name: str) -> list[float]:
    """A run's figure, step by step."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [row[name] for row in map(json.loads, lines) if name in row]


TWO = """
import os, sys, json
import torch
import luciola
from luciola.methods.sft import Sft

loss = Sft.loss


def narrow(self, batch):
    terms = loss(self, batch)
    if os.environ["RANK"] == "1" and batch.ids.numel() > 260:
        terms["nll"].sum.register_hook(out_of_memory)  # in the backward pass
    return terms


def out_of_memory(gradient):
    raise torch.OutOfMemoryError("full")


Sft.loss = narrow
luciola.sft(**json.loads(sys.argv[1]), out="two")
"""


def test_one_process_of_two_may_run_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its backward pass, where the other would wait for its gradients: both take the step again
    in as many smaller micro-batches, with one process's losses.
    """
    import os
    import subprocess
    import sys

    from support import write_chats, write_model

    monkeypatch.chdir(tmp_path)
    settings = {
        "model": str(write_model(Path("model"))), "data": str(write_chats(Path("chats.jsonl"))),
        "batch": 12, "epochs": 1, "packing": "packed", **SETTINGS, "max_length": 256,
        "micro_tokens": 800,
    }  # fmt: skip
    Path("two.py").write_text(TWO)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, "--master_port=29741", "two.py", json.dumps(settings)],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[:3000] + done.stderr[-500:]
    luciola.sft(**settings, out="one")
    one, two = (
        [json.loads(line) for line in Path(name, "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    assert json.loads(Path("two/report.json").read_text())["processes"] == 2
    for name in ("loss", "grad_norm"):
        ours, theirs = ([row[name] for row in rows if name in row] for rows in (one, two))
        assert len(ours) == 2
        assert theirs == pytest.approx(ours, rel=1e-4)
