"""Runs of DPO, against a reference that is asked once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import luciola
from luciola.errors import ConfigError
from luciola.methods.dpo import Dpo
from luciola.methods.pairing import ComparisonPlan

FAST = {
    "lr": 1e-3, "max_length": 64, "precision": "fp32", "device": "cpu", "micro_tokens": 256,
}  # fmt: skip


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    """Chats whose better answers are short."""
    rows = []
    for n in range(24):
        ask = [{"role": "user", "content": f"ask {n}"}]
        rows.append({"prompt": ask, "chosen": f"yes {n}", "rejected": f"well, no {n % 5}"})
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


Run = Callable[..., Any]


@pytest.fixture
def run(model_folder: Path, pairs: str) -> Run:
    def train(**settings: Any) -> Any:
        return luciola.dpo(**{"model": str(model_folder), "data": pairs, **FAST, **settings})

    return train


def metrics(result: Any, name: str = "loss") -> list[float]:
    folder = result if isinstance(result, Path) else result.folder
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row[name] for row in rows if name in row]


@pytest.mark.parametrize("packing", ["padded", "packed", "tree"])
@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_it_begins_at_ln_2_and_learns(run: Run, adapter: str, packing: str) -> None:
    """ln 2 to the bit, in every layout; the margin grows, and the better answers win on new
    prompts.
    """
    lr = {"lora": 1e-3, "full": 1e-4}[adapter]
    result = run(adapter=adapter, packing=packing, lr=lr, epochs=4, batch=8, eval_fraction=0.25)
    losses = metrics(result)
    assert losses[0] == pytest.approx(math.log(2), rel=1e-7)
    assert metrics(result, "rewards/margin")[0] == 0.0
    assert metrics(result, "rewards/accuracy")[0] == 0.0, "ties are wrong"
    assert losses[-1] < 0.6
    assert metrics(result, "eval/rewards/accuracy")[-1] == 1.0
    assert metrics(result, "eval/rewards/margin")[-1] > 0.2
    assert result.figures["packing"] == packing


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"loss": "hinge", "beta": 0.3}, 1.0),
        ({"loss": "ipo", "beta": 0.25}, 4.0),  # (1 / (2 · 0.25))²
        ({"label_smoothing": 0.2}, math.log(2)),
    ],
)
def test_the_other_losses_begin_where_they_must(
    run: Run, settings: dict[str, Any], first: float
) -> None:
    assert metrics(run(**settings, max_steps=1))[0] == pytest.approx(first, rel=1e-6)


def test_smoothing_takes_a_share_of_the_labels_for_wrong(run: Run) -> None:
    """-(1 - s)·log σ(m) - s·log σ(-m) of each single pair's margin m."""
    result = run(label_smoothing=0.2, beta=2.0, batch=1, max_steps=4)
    margins = metrics(result, "rewards/margin")
    expected = [0.8 * math.log1p(math.exp(-m)) + 0.2 * math.log1p(math.exp(m)) for m in margins]
    assert metrics(result) == pytest.approx(expected, rel=1e-5)
    assert max(map(abs, margins)) > 0.05


def test_rewards_are_beta_times_the_log_ratio(run: Run) -> None:
    """Of the whole batch in each step: β · (log π - log π_ref), where the first step's log π is
    log π_ref.
    """
    result = run(beta=0.3, batch=24, epochs=3)
    for answer in ("chosen", "rejected"):
        logprobs = metrics(result, f"logprobs/{answer}")
        expected = [0.3 * (now - logprobs[0]) for now in logprobs]
        assert metrics(result, f"rewards/{answer}") == pytest.approx(expected, abs=1e-4)
    chosen, rejected = (metrics(result, f"rewards/{a}")[-1] for a in ("chosen", "rejected"))
    assert metrics(result, "rewards/margin")[-1] == pytest.approx(chosen - rejected, abs=1e-5)
    assert chosen > rejected


def test_dropout_is_off_in_both_passes(run: Run) -> None:
    """A recipe that asks for half of the adapter's inputs to be dropped has the losses of one that
    does not.
    """
    wanted = run(lora={"dropout": 0.5}, batch=8, out="wanted")
    without = run(batch=8, out="without")
    assert metrics(wanted) == metrics(without)


def test_an_adapter_of_before_is_the_reference_and_not_the_base(
    run: Run, model_folder: Path, chats: Path
) -> None:
    """DPO of a fine-tuned adapter begins at ln 2; held to the base it does not."""
    tuned = luciola.sft(
        model=str(model_folder), data=str(chats), epochs=8, out="tuned", **{**FAST, "lr": 1e-2}
    )
    start = run(model=str(tuned.folder), max_steps=1, out="own")
    assert metrics(start)[0] == pytest.approx(math.log(2), rel=1e-7)
    other = run(model=str(tuned.folder), reference=str(model_folder), max_steps=1, out="other")
    assert abs(metrics(other)[0] - math.log(2)) > 1e-2
    assert metrics(other, "logprobs/chosen") == pytest.approx(metrics(start, "logprobs/chosen"))


def test_micro_batches_change_no_loss(run: Run) -> None:
    small = run(micro_tokens=8, batch=6, epochs=1, out="small")
    large = run(micro_tokens=4096, batch=6, epochs=1, out="large")
    assert metrics(small) == pytest.approx(metrics(large), rel=1e-4)


def test_a_stopped_run_goes_on_bit_for_bit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in its eighth step, after a checkpoint at six. The reference comes out of the
    checkpoint: asked again, it would be the model of step six.
    """
    settings = {"batch": 8, "epochs": 5, "save_every": 3}
    whole = run(**settings, out="whole")
    with monkeypatch.context() as patch:
        plain = ComparisonPlan.step

        def failing(plan: ComparisonPlan, step: int) -> Any:
            if step == 7:
                raise RuntimeError("power cut")
            return plain(plan, step)

        patch.setattr(ComparisonPlan, "step", failing)
        with pytest.raises(RuntimeError, match="power cut"):
            run(**settings, out="parts")
    with monkeypatch.context() as patch:
        patch.setattr(Dpo, "_ask_reference", lambda _: pytest.fail("the reference is asked again"))
        parts = run(**settings, out="parts")
    one, other = (load_file(r.model / "adapter_model.safetensors") for r in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert metrics(parts) == metrics(whole)


def test_only_what_the_run_uses_is_asked_of_the_reference(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step of four comparisons of 24, over and over: four are laid out for it."""
    asked: list[int] = []
    plain = ComparisonPlan.lay_out

    def counting(plan: ComparisonPlan, numbers: Any) -> Any:
        found = list(numbers)
        asked.append(len(found))
        return plain(plan, found)

    monkeypatch.setattr(ComparisonPlan, "lay_out", counting)
    run(batch=4, max_steps=1)
    assert asked == [4, 0, 4], "the reference, nothing held out, the step"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"label_smoothing": 0.1, "loss": "ipo"}, "label_smoothing is for loss=sigmoid"),
        ({"label_smoothing": 0.5}, "label_smoothing must be below 0.5"),
        ({"max_prompt_length": 64}, "max_prompt_length must be below max_length=64"),
        ({"beta": 0}, "beta must be above 0"),
        ({"patience": 1}, "patience needs held-out data"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    run: Run, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        run(**settings)


def test_a_dry_run_counts_and_writes_nothing(
    model_folder: Path, pairs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from luciola.cli.main import main

    settings = [f"model={model_folder}", f"data={pairs}", "max_length=64", "--dry-run"]
    assert main(["train", "dpo", *settings]) == 0
    output = capsys.readouterr().out
    assert "24 comparisons, pair (preferences)" in output
    assert "2 steps of 16 comparisons, 2 an epoch" in output
    assert not Path("runs").exists()
