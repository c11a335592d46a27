"""Runs of the fine-tuning recipe, from a data file to a folder that others can load."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import luciola
from luciola.cli.main import main
from luciola.errors import ConfigError, DataError, ModelError
from luciola.methods.running import Result

SFT = ("-m", "luciola", "train", "sft")
TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node=2")
FAST = {"lr": 1e-2, "max_length": 128, "precision": "fp32", "device": "cpu"}


def words(**settings: Any) -> list[str]:
    """Settings as they are typed."""
    return [f"{name}={value}" for name, value in settings.items()]


@contextmanager
def started(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A command under way; killed, and its output read, when the block is left."""
    with subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What `luciola train sft` prints in this process, where nothing has to be killed."""
    assert main(["train", "sft", *arguments]) == 0
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_a_lora_run_leaves_a_folder_that_peft_loads(model_folder: Path, chats: Path) -> None:
    """Adapter, tokenizer, recipe, figures and report; no checkpoints, and nothing large."""
    from peft import AutoPeftModelForCausalLM

    result = luciola.sft(model=str(model_folder), data=str(chats), out="run", **FAST)
    assert result.ending == "finished"
    names = {path.name for path in Path("run").iterdir()}
    assert {"recipe.yaml", "metrics.jsonl", "model", "report.md", "report.json"} <= names
    assert "checkpoints" not in names
    model = AutoPeftModelForCausalLM.from_pretrained("run/model")
    assert type(model).__name__ == "PeftModelForCausalLM"
    report = json.loads(Path("run/report.json").read_text())
    assert report["steps"] == 6
    assert report["packing"] == "packed"


def test_a_full_run_leaves_a_model_that_transformers_loads(model_folder: Path, chats: Path) -> None:
    """And one that has learned: half the start's loss at the end."""
    from transformers import AutoModelForCausalLM

    luciola.sft(
        model=str(model_folder), data=str(chats), out="run", adapter="full", epochs=20, **FAST
    )
    AutoModelForCausalLM.from_pretrained("run/model")
    rows = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]


def test_the_same_command_says_that_the_run_has_finished(model_folder: Path, chats: Path) -> None:
    settings = {"model": str(model_folder), "data": str(chats), "max_steps": 1, **FAST}
    first, second = luciola.sft(**settings), luciola.sft(**settings)
    assert second.ending == "finished before"
    assert first.folder == second.folder
    assert first.folder.parent == Path("runs")
    assert second.figures["loss"] == first.figures["loss"]
    assert second.figures["ending"] == "finished"
    assert "--fresh (in Python: fresh=True)" in second.text
    assert luciola.sft(**settings, fresh=True).ending == "finished"


def test_a_damaged_report_of_a_finished_run_is_named(model_folder: Path, chats: Path) -> None:
    settings = {"model": str(model_folder), "data": str(chats), "max_steps": 1, **FAST}
    report = luciola.sft(**settings).folder / "report.json"
    report.write_text("{")
    with pytest.raises(DataError, match=r"report\.json: it cannot be read"):
        luciola.sft(**settings)


def test_evaluation_keeps_the_best_weights(model_folder: Path, chats: Path) -> None:
    result = luciola.sft(
        model=str(model_folder), data=str(chats), eval_fraction=0.2, epochs=4, **FAST
    )
    rows = [json.loads(x) for x in (result.folder / "metrics.jsonl").read_text().splitlines()]
    losses = {row["step"]: row["eval/loss"] for row in rows if "eval/loss" in row}
    assert len(losses) == 4
    assert result.figures["eval_loss"] == pytest.approx(min(losses.values()), rel=1e-6)
    assert losses[result.figures["best_step"]] == min(losses.values())


def test_a_dry_run_counts_and_writes_nothing(
    model_folder: Path, chats: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = typed(capsys, f"model={model_folder}", f"data={chats}", "--dry-run")
    assert "24 examples, messages (OpenAI)" in output
    assert "would train" in output
    assert "6 steps of 16 examples, 2 an epoch" in output
    assert not Path("runs").exists()


def test_long_examples_are_cut_with_a_notice(
    model_folder: Path, chats: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prompts have 28 tokens and more: at 10 no answer is left; at 32 some are cut."""
    settings = {**FAST, "model": str(model_folder), "data": str(chats)}
    with pytest.raises(DataError, match="no example has a trained token within max_length=10"):
        luciola.sft(**{**settings, "max_length": 10})
    output = typed(capsys, *words(**{**settings, "max_length": 32, "max_steps": 1}))
    assert "cut at 32 tokens: 14 examples" in output


@pytest.mark.parametrize(
    ("settings", "error", "sentence"),
    [
        ({"data": "nowhere.jsonl"}, DataError, "no such file"),
        ({"model": "nowhere/at/all"}, ModelError, "nowhere/at/all"),
        ({"learning_rate": 1}, ConfigError, "lr"),
        ({"lora": {"targets": ["nothing"]}}, ConfigError, "q_proj"),
        ({"device": "cuda"}, ConfigError, "no GPU"),
    ],
)
def test_mistakes_end_in_one_sentence(
    settings: dict[str, Any], error: type[Exception], sentence: str, model_folder: Path, chats: Path
) -> None:
    if settings.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    given = {"model": str(model_folder), "data": str(chats), **FAST, **settings}
    with pytest.raises(error, match=sentence):
        luciola.sft(**given)


def test_a_model_whose_packing_would_leak_trains_padded(
    model_folder: Path, chats: Path, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    """Asked once, with a notice; the result is the same."""
    from luciola.methods import preparation

    settings = {"model": str(model_folder), "data": str(chats), **FAST}
    packed = luciola.sft(**settings, out="packed")
    monkeypatch.setattr(preparation, "isolates", lambda *_, **__: False)
    padded = luciola.sft(**settings, out="padded")
    assert (packed.figures["packing"], padded.figures["packing"]) == ("packed", "padded")
    assert "trains padded" in caplog.text
    assert padded.figures["loss"] == pytest.approx(packed.figures["loss"], rel=1e-4)


def weights(result: Result | Path) -> dict[str, torch.Tensor]:
    """The adapter that a run saved."""
    folder = result if isinstance(result, Path) else result.folder
    return load_file(folder / "model" / "adapter_model.safetensors")


def test_a_killed_run_goes_on_bit_for_bit(model_folder: Path, chats: Path) -> None:
    """kill -9 in the middle, the same command again: the weights of an uninterrupted run.

    That it went on and did not begin again is seen from the first step's speed, which no two runs
    share to the last digit.
    """
    settings = {
        "model": str(model_folder), "data": str(chats), "epochs": 60, "save_every": 7, "batch": 8,
        "lora": {"dropout": 0.1}, "neftune_alpha": 2, **FAST,
    }  # fmt: skip
    whole = luciola.sft(**settings, out="whole")
    log = Path("parts/metrics.jsonl")
    written = words(**{**settings, "lora": "{dropout: 0.1}"}, out="parts")
    threads = str(torch.get_num_threads())  # sums over another number of threads round otherwise
    with started(*SFT, *written, OMP_NUM_THREADS=threads) as process:
        wait_for_step(log, 20)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not Path("parts/model").exists()
    first_line = log.read_text().splitlines()[0]
    parts = luciola.sft(**settings, out="parts")
    assert log.read_text().splitlines()[0] == first_line
    one, other = weights(whole), weights(parts)
    assert all(torch.equal(one[name], other[name]) for name in one)
    figures = [(Path(run) / "metrics.jsonl").read_text().splitlines() for run in ("whole", "parts")]
    kept = [[strip(json.loads(line)) for line in lines] for lines in figures]
    assert kept[0] == kept[1]


def strip(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what depends on the clock."""
    return {name: value for name, value in row.items() if name != "tokens_per_s"}


def wait_for_step(path: Path, step: int, timeout_s: float = 300) -> None:
    """Until the run has logged `step`."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if path.exists() and len(path.read_text().splitlines()) >= step:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} has no step {step} after {timeout_s} s")


def test_ctrl_c_saves_and_says_how_to_go_on(model_folder: Path, chats: Path) -> None:
    settings = words(model=model_folder, data=chats, epochs=400, out="run", **FAST)
    with started(*SFT, *settings) as process:
        wait_for_step(Path("run/metrics.jsonl"), 3)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "stopping after this step" in output
    assert output.splitlines()[-1] == "  → Run the same command again to go on from there."
    assert list(Path("run/checkpoints").glob("step-*"))
    chats.write_text("\n".join(chats.read_text().splitlines()[1:]) + "\n")
    with pytest.raises(DataError, match="data have changed since this run began"):
        luciola.sft(model=str(model_folder), data=str(chats), epochs=400, out="run", **FAST)


def test_two_processes_train_as_one(model_folder: Path, chats: Path) -> None:
    """torchrun with two CPU processes: there are two, and their losses are those of one."""
    settings = {
        "model": str(model_folder), "data": str(chats), "batch": 8, "micro_tokens": 64, **FAST,
    }  # fmt: skip
    luciola.sft(**settings, out="one")
    command = [*TORCHRUN, "--master_port=29713", *SFT, *words(**settings), "out=two"]
    with started(*command, ACCELERATE_USE_CPU="true") as process:
        output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert output.count("finished: two") == 1, "told by the main process only"
    assert json.loads(Path("two/report.json").read_text())["processes"] == 2
    assert losses(Path("two")) == pytest.approx(losses(Path("one")), rel=1e-5)


def losses(run: Path) -> list[float]:
    """Training loss by step."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_a_killed_launcher_leaves_no_child_training(model_folder: Path, chats: Path) -> None:
    """kill -9 of torchrun: its children look twice a second, and soon none logs any more."""
    settings = words(model=model_folder, data=chats, epochs=4000, out="run", **FAST)
    log = Path("run/metrics.jsonl")
    command = [*TORCHRUN, "--master_port=29714", *SFT, *settings]
    with started(*command, ACCELERATE_USE_CPU="true") as process:
        wait_for_step(log, 2)
        process.kill()
        process.communicate(timeout=20)  # returns when no child holds its end of the pipe
    size = log.stat().st_size
    time.sleep(0.5)
    assert log.stat().st_size == size


def test_a_trained_adapter_is_trained_on(
    model_folder: Path, chats: Path, caplog: pytest.LogCaptureFixture, recwarn: Any
) -> None:
    """The second run begins with the first one's loss, not the base's, and leaves one adapter."""
    settings = {"data": str(chats), **FAST, "batch": 24}
    first = luciola.sft(model=str(model_folder), epochs=30, out="first", **settings)
    second = luciola.sft(model="first", max_steps=1, out="second", **settings)
    assert losses(second.folder)[0] < 1.1 * first.figures["loss"] < 0.7 * losses(first.folder)[0]
    assert second.figures["trained_parameters"] == first.figures["trained_parameters"]
    assert "training goes on with the adapter" in caplog.text
    assert set(weights(first)) == set(weights(second))
    recorded = json.loads((second.model / "adapter_config.json").read_text())
    assert recorded["base_model_name_or_path"] == str(model_folder)
    assert not recwarn.list


def test_a_trained_adapter_goes_into_the_weights_of_a_full_run(
    model_folder: Path, chats: Path
) -> None:
    """Which begins with the adapter's loss too, and leaves a model that stands alone."""
    settings = {"data": str(chats), **FAST, "batch": 24}
    first = luciola.sft(model=str(model_folder), epochs=30, out="first", **settings)
    full = luciola.sft(model="first", adapter="full", max_steps=1, out="full", **settings)
    assert losses(full.folder)[0] < 1.1 * first.figures["loss"]
    assert full.figures["trained_parameters"] == full.figures["parameters"]
    assert (full.model / "model.safetensors").is_file()
    assert not (full.model / "adapter_config.json").exists()
