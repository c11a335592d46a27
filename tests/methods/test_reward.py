"""Runs of the reward model's recipe, from comparisons to a folder that scores."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import luciola
from luciola.errors import DataError
from luciola.methods.pairing import ComparisonPlan
from luciola.methods.reward import Reward
from luciola.models.scorer import Scorer

FAST = {
    "lr": 3e-3, "max_length": 64, "precision": "fp32", "device": "cpu", "micro_tokens": 256,
}  # fmt: skip
POLITE = ("thank you", "please", "kindly")
RUDE = ("go away", "no!", "shut it")


def compared(rows: int = 24, *, ranked: bool = False) -> list[dict[str, Any]]:
    """Polite answers are better, whatever the question and their length."""
    made: list[dict[str, Any]] = []
    for n in range(rows):
        better, worse = f"{POLITE[n % 3]} {n}", f"{RUDE[n // 3 % 3]} {n}" + " x" * (n % 2)
        answers = [better, worse, *(["meh"] if ranked and n % 2 else [])]
        if ranked:
            made.append({"instruction": f"ask {n}", "output": answers})
        else:
            made.append({"prompt": f"ask {n}: ", "chosen": better, "rejected": worse})
    return made


@pytest.fixture
def pairs(tmp_path: Path) -> Callable[..., str]:
    """Writes rows and returns the file's path."""

    def write(rows: list[dict[str, Any]], name: str = "pairs.jsonl") -> str:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(tmp_path / name)

    return write


def metrics(run: Path, name: str = "loss") -> list[float]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row[name] for row in rows if name in row]


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_it_learns_what_is_better_and_scores_new_answers(
    model_folder: Path, pairs: Any, adapter: str
) -> None:
    """From a fresh head to all held-out pairs; the saved folder agrees on prompts never seen."""
    result = luciola.reward_model(
        model=str(model_folder), data=pairs(compared()), adapter=adapter, epochs=8,
        eval_fraction=0.25, **FAST,
    )  # fmt: skip
    assert metrics(result.folder)[-1] < 0.3 < 0.5 < metrics(result.folder)[0]
    judged = result.figures["judgement"]
    assert (judged["accuracy"], judged["judged_on"]) == (1.0, "held-out pairs")
    assert result.figures["eval_loss"] == pytest.approx(min(metrics(result.folder, "eval/loss")))
    scorer = Scorer.load(result.folder, "cpu")
    good, bad = scorer.score(["ask 99: "] * 2, ["please 99", "no! 99"])
    assert good > bad + 0.5


def test_the_report_shows_calibration_length_and_scale(model_folder: Path, pairs: Any) -> None:
    result = luciola.reward_model(
        model=str(model_folder), data=pairs(compared()), max_steps=2, **FAST
    )
    report = (result.folder / "report.md").read_text()
    for heading in ("## Calibration", "## Length", "## Normalisation"):
        assert heading in report
    assert "on pairs that it was trained on" in report
    assert "prefers_longer" in report
    assert "polyline" in (result.folder / "calibration.svg").read_text()


def test_the_answers_of_the_data_get_mean_0_and_variance_1(model_folder: Path, pairs: Any) -> None:
    """All 48 of them, as the saved model scores them: also where training drops inputs."""
    rows = compared()
    result = luciola.reward_model(
        model=str(model_folder), data=pairs(rows), epochs=4, lora={"dropout": 0.5}, **FAST
    )
    texts = [(row["prompt"], row[key]) for row in rows for key in ("chosen", "rejected")]
    scores = Scorer.load(result.folder, "cpu").score([p for p, _ in texts], [a for _, a in texts])
    mean = sum(scores) / 48
    assert mean == pytest.approx(0, abs=1e-4)
    assert sum((s - mean) ** 2 for s in scores) / 48 == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("on", ["policy", "file"])
def test_scores_can_be_normalised_on_other_answers(model_folder: Path, pairs: Any, on: str) -> None:
    """A policy's samples, or a file's; other answers give another scale for the same weights."""
    settings = {"model": str(model_folder), "data": pairs(compared()), "max_steps": 2, **FAST}
    other = pairs([{"prompt": f"ask {n}: ", "completion": "thank you"} for n in range(8)], "own")
    Path(other).rename("own.jsonl")
    chosen = {"policy": "policy", "file": "own.jsonl"}[on]
    plain = luciola.reward_model(**settings, out="plain")
    result = luciola.reward_model(
        **settings, out="other", normalize_on=chosen, normalize_tokens=6, normalize_samples=16
    )
    card = json.loads((result.model / "reward.json").read_text())
    assert card["gain"] != pytest.approx(plain.figures["gain"], rel=1e-2)
    words = {"policy": "16 answers of the model before training, sampled"}
    assert card["normalized_on"] == words.get(on, "8 answers of own.jsonl")
    if on == "file":
        scores = Scorer.load(result.folder, "cpu").score(
            [f"ask {n}: " for n in range(8)], ["thank you"] * 8
        )
        assert sum(scores) == pytest.approx(0, abs=1e-3)


def test_a_ranked_list_counts_as_the_mean_of_its_pairs(model_folder: Path, pairs: Any) -> None:
    """The first loss of a step of lists of two and three, recomputed pair by pair."""
    rows = compared(6, ranked=True)
    settings = {"model": str(model_folder), "data": pairs(rows), "max_steps": 1, "batch": 6, **FAST}
    run = luciola.reward_model(**{**settings, "lr": 0.0, "center": 0.01})
    scorer = Scorer.load(run.folder, "cpu")
    gain, bias = scorer.card.gain, scorer.card.bias
    losses = []
    for row in rows:
        answers = row["output"]
        scored = scorer.score([row["instruction"]] * len(answers), answers)
        raw = [(s - bias) / gain for s in scored]
        per_pair = [
            math.log1p(math.exp(raw[j] - raw[i])) + 0.01 * (raw[i] + raw[j]) ** 2
            for i in range(len(raw))
            for j in range(i + 1, len(raw))
        ]
        losses.append(sum(per_pair) / len(per_pair))
    assert metrics(run.folder)[0] == pytest.approx(sum(losses) / 6, rel=1e-4)


def test_a_margin_column_asks_for_a_larger_lead(model_folder: Path, pairs: Any) -> None:
    """One pair: -log σ(lead - 2) instead of -log σ(lead)."""
    row = compared(1)[0]
    settings = {"model": str(model_folder), "max_steps": 1, **FAST, "lr": 0.0}
    runs = [
        luciola.reward_model(**settings, data=pairs([{**row, **more}], f"{i}.jsonl"), out=f"r{i}")
        for i, more in enumerate(({}, {"margin": 2.0}))
    ]
    lead = metrics(runs[0].folder, "margin")[0]
    for run, margin in zip(runs, (0.0, 2.0), strict=True):
        expected = math.log1p(math.exp(margin - lead))
        assert metrics(run.folder)[0] == pytest.approx(expected, rel=1e-5)


def test_layout_and_micro_batches_change_no_loss(model_folder: Path, pairs: Any) -> None:
    """One row of everything against many; padded, packed and tree."""
    data = pairs(compared(12, ranked=True))
    settings = {"model": str(model_folder), "data": data, "batch": 6, "epochs": 2, **FAST}
    expected = luciola.reward_model(**settings, packing="padded", out="r0")
    for i, (packing, tokens) in enumerate((("packed", 4096), ("tree", 4096), ("tree", 8))):
        other = {**settings, "micro_tokens": tokens, "packing": packing, "out": f"r{i + 1}"}
        run = luciola.reward_model(**other)
        assert metrics(run.folder) == pytest.approx(metrics(expected.folder), rel=1e-4)


def adapter_of(run: str) -> dict[str, torch.Tensor]:
    return load_file(Path(run) / "model" / "adapter_model.safetensors")


def test_a_stopped_run_goes_on_bit_for_bit(
    model_folder: Path, pairs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its eighth step, after a checkpoint at six: weights and scale of a whole run."""
    settings = {
        "model": str(model_folder), "data": pairs(compared()), "batch": 8, "epochs": 5,
        "save_every": 3, "lora": {"dropout": 0.1}, **FAST,
    }  # fmt: skip
    whole = luciola.reward_model(**settings, out="whole")
    with monkeypatch.context() as patch:
        plain = ComparisonPlan.step

        def failing(plan: ComparisonPlan, step: int) -> Any:
            if step == 7:
                raise RuntimeError("power cut")
            return plain(plan, step)

        patch.setattr(ComparisonPlan, "step", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            luciola.reward_model(**settings, out="parts")
    assert list(Path("parts/checkpoints").glob("step-000006"))
    parts = luciola.reward_model(**settings, out="parts")
    one, other = adapter_of("whole"), adapter_of("parts")
    assert any("score" in name for name in one)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert parts.figures["gain"] == whole.figures["gain"]
    assert metrics(Path("parts")) == metrics(Path("whole"))


def test_changed_data_are_noticed_when_a_run_goes_on(
    model_folder: Path, pairs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = compared()
    settings = {"model": str(model_folder), "batch": 8, "save_every": 1, "out": "run", **FAST}
    with monkeypatch.context() as patch:
        patch.setattr(Reward, "after_step", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            luciola.reward_model(**settings, data=pairs(rows))
    with monkeypatch.context() as patch:
        steps = iter((True, False))
        patch.setattr(Reward, "after_step", lambda *_: None if next(steps) else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            luciola.reward_model(**settings, data=pairs(rows))
    rows[3]["chosen"], rows[3]["rejected"] = rows[3]["rejected"], rows[3]["chosen"]
    with pytest.raises(DataError, match="the comparisons have changed since this run began"):
        luciola.reward_model(**settings, data=pairs(rows))


BOTH = """
import json, sys, luciola
settings = json.loads(sys.argv[1])
for name in ("reward_model", "dpo"):
    getattr(luciola, name)(**settings, out=f"two-{name}")
"""


def test_two_processes_train_as_one(model_folder: Path, pairs: Any) -> None:
    """torchrun with two CPU processes, for the reward model and for DPO: the losses of one."""
    settings = {
        "model": str(model_folder), "data": pairs(compared(13, ranked=True)), "batch": 5,
        "epochs": 2, "eval_fraction": 0.2, **FAST, "micro_tokens": 64,
    }  # fmt: skip
    Path("both.py").write_text(BOTH)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, "--master_port=29731", "both.py", json.dumps(settings)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("reward_model", "dpo"):
        run = getattr(luciola, name)(**settings, out=f"one-{name}")
        two = Path(f"two-{name}")
        assert json.loads((two / "report.json").read_text())["processes"] == 2
        for figure in ("loss", "eval/loss"):
            assert metrics(two, figure) == pytest.approx(metrics(run.folder, figure), rel=1e-4)
    one, two = (
        json.loads(Path(f"{n}-reward_model/report.json").read_text()) for n in ("one", "two")
    )
    assert two["gain"] == pytest.approx(one["gain"], rel=1e-3)
    assert two["judgement"].pop("judged_on") == one["judgement"].pop("judged_on")
    assert two["judgement"] == pytest.approx(one["judgement"], rel=1e-3)
