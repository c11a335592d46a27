"""fp16: the loss is scaled, an overflow skips the step, and the scale outlives a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import luciola
from luciola.errors import TrainingError
from luciola.models.precision import Precision, choose_precision
from luciola.training.step import optimizer_step
from luciola.training.world import World
from support import write_chats, write_model


class One:
    """A method of one weight w with loss w · x, where x is the micro-batch."""

    def __init__(self) -> None:
        self.roles = torch.nn.Linear(1, 1, bias=False)
        self.taken = 0

    def weights(self, batch: float) -> Mapping[str, float]:
        return {"rows": 1.0}

    def loss(self, batch: float) -> Any:
        from luciola.training.method import Term

        (weight,) = self.roles.parameters()
        return {"loss": Term((weight.half() * batch).float().sum(), "rows")}

    def accepts(self, means: Mapping[str, float]) -> bool:
        return True

    def after_step(self, means: Mapping[str, float]) -> None:
        self.taken += 1

    def describe(self, batches: Any) -> str:
        return "made.jsonl:1"


def step(method: One, x: float, scaler: Any) -> dict[str, float]:
    """One step of plain gradient descent at rate 1."""
    optimizer = torch.optim.SGD(method.roles.parameters(), lr=1.0)
    return optimizer_step(
        method,  # type: ignore[arg-type]
        [x],
        optimizer,
        World("cpu"),
        step=0,
        run_seed=0,
        max_grad_norm=0.0,
        scaler=scaler,
    )


def test_a_scaled_loss_takes_the_same_step() -> None:
    """d(w · 2)/dw = 2 whatever the scale, so w falls by 2."""
    method = One()
    before = method.roles.weight.item()
    means = step(method, 2.0, torch.amp.GradScaler("cpu", init_scale=1024.0))
    assert method.roles.weight.item() == pytest.approx(before - 2)
    assert means["grad_norm"] == pytest.approx(2)
    assert (means["fp16/scale"], means["fp16/skipped"]) == (1024, 0)


def test_an_overflow_changes_no_weight_and_halves_the_scale() -> None:
    """float16 ends at 65,504: 3 · 65,536 and 3 · 32,768 are beyond, 3 · 16,384 is not."""
    method, scaler = One(), torch.amp.GradScaler("cpu", init_scale=65536.0)
    before = method.roles.weight.item()
    skipped = [step(method, 3.0, scaler)["fp16/skipped"] for _ in range(2)]
    assert skipped == [1, 1]
    assert method.roles.weight.item() == before
    assert method.taken == 2  # the method goes on to its next batch
    assert step(method, 3.0, scaler)["fp16/scale"] == 16384
    assert method.roles.weight.item() == pytest.approx(before - 3, abs=1e-3)


def test_a_gradient_that_overflows_unscaled_ends_the_run() -> None:
    method = One()
    with torch.no_grad():
        method.roles.weight.zero_()
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    real = method.loss

    def steep(batch: float) -> Any:
        terms = real(batch)
        terms["loss"].sum.register_hook(lambda gradient: gradient * float("inf"))
        return terms

    method.loss = steep  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"made\.jsonl:1"):
        step(method, 2.0, scaler)


def test_what_fp16_means() -> None:
    cpu = torch.device("cpu")
    assert choose_precision("fp16", cpu, full=False) == Precision(torch.float16, torch.float16)
    over = choose_precision("fp16", cpu, full=True)
    assert (str(over), over.weights) == ("fp16 over fp32 weights", torch.float32)
    assert str(choose_precision("bf16", cpu, full=False)) == "bf16"
    assert not choose_precision("bf16", cpu, full=False).scales_losses


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_model(tmp_path / "model")
    write_chats(tmp_path / "chats.jsonl", rows=16)
    return tmp_path


def train(files: Path, out: str, **settings: Any) -> Any:
    return luciola.sft(
        model=str(files / "model"),
        data=str(files / "chats.jsonl"),
        out=str(files / out),
        device="cpu",
        lr=1e-2,
        batch=4,
        epochs=2,
        **settings,
    )


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_fp16_learns_as_fp32_does(adapter: str, files: Path) -> None:
    half = train(files, "half", precision="fp16", adapter=adapter)
    whole = train(files, "whole", precision="fp32", adapter=adapter)
    assert half.figures["precision"].startswith("fp16")
    rows = [json.loads(r) for r in (files / "half/metrics.jsonl").read_text().splitlines()]
    assert rows[0]["loss"] == pytest.approx(
        json.loads((files / "whole/metrics.jsonl").read_text().splitlines()[0])["loss"], rel=2e-3
    )
    assert half.figures["loss"] == pytest.approx(whole.figures["loss"], rel=0.05)
    assert all("fp16/scale" in row for row in rows if "loss" in row)


def test_the_scale_is_resumed(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is cut after step 4 of 8 goes on with the scale that it had, to the same end."""
    from luciola.training.loop import Loop

    settings = {"precision": "fp16", "save_every": 2, "adapter": "lora"}
    make = torch.amp.GradScaler.__init__

    def quick(self: Any, device: str) -> None:
        make(self, device, init_scale=2.0**40, growth_interval=2)

    monkeypatch.setattr(torch.amp.GradScaler, "__init__", quick)
    whole = train(files, "whole", **settings)
    save = Loop._save

    def cut(self: Loop[Any]) -> None:
        save(self)
        if self.counters.step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_save", cut)
        with pytest.raises(KeyboardInterrupt):
            train(files, "parts", **settings)
    parts = train(files, "parts", **settings)

    def figures(name: str) -> list[tuple[float, float]]:
        lines = (files / name / "metrics.jsonl").read_text().splitlines()
        rows = [row for row in map(json.loads, lines) if "loss" in row]
        return [(row["loss"], row["fp16/scale"]) for row in rows]

    assert len({scale for _, scale in figures("whole")}) > 3
    assert figures("parts") == figures("whole")
    assert parts.figures["loss"] == whole.figures["loss"]
