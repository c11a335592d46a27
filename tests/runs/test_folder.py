"""The folder of a run: found again by its recipe, refused to others, used by one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import ConfigError, StorageError
from luciola.runs.folder import RunFolder
from luciola.runs.metrics import Metrics
from luciola.runs.recipe import difference, run_name

RECIPE: dict[str, Any] = {"model": "m", "lr": 2e-4, "lora": {"r": 8, "targets": ("q", "v")}}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield


def test_the_same_recipe_finds_its_own_folder_and_goes_on() -> None:
    with RunFolder.open("", "sft-m", RECIPE) as first:
        first.log(1, {"loss": 2.0})
    with RunFolder.open("", "sft-m", RECIPE) as again:
        assert again.path == Path("runs/sft-m")
        assert again.metrics() == [{"step": 1, "loss": 2.0}]
        assert again.recipe()["lora"] == {"r": 8, "targets": ["q", "v"]}


def test_another_recipe_is_refused_with_the_names_of_what_differs() -> None:
    with RunFolder.open("here", "", RECIPE) as run:
        run.log(1, {"loss": 2.0})
    other = {**RECIPE, "lr": 1e-4, "lora": {"r": 4, "targets": ("q", "v")}}
    with pytest.raises(ConfigError) as caught:
        RunFolder.open("here", "", other)
    assert caught.value.message == (
        "here holds a run with another recipe; it differs in lora.r, lr"
    )
    assert "out=FOLDER" in str(caught.value.remedy)
    assert "--fresh (in Python: fresh=True)" in str(caught.value.remedy)
    RunFolder.open("here", "", RECIPE).close()  # the refusal let go of the lock


def test_a_run_that_never_made_a_step_makes_way_for_its_correction() -> None:
    """Refused while its model was loaded; figures of step 0 tell of the untrained model."""
    with RunFolder.open("here", "", {**RECIPE, "model": "typo"}) as run:
        run.log(0, {"eval/score": 1.0})
        (run.path / "trace.jsonl").touch()
    with RunFolder.open("here", "", RECIPE) as run:
        assert run.recipe()["model"] == "m"
        assert run.metrics() == []
        assert not (run.path / "trace.jsonl").exists()


@pytest.mark.parametrize("saved", ["checkpoints/step-000001", "model"])
def test_what_a_run_saved_is_kept_from_another_recipe(saved: str) -> None:
    with RunFolder.open("here", "", RECIPE) as run:
        (run.path / saved).mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds a run with another recipe"):
        RunFolder.open("here", "", {**RECIPE, "lr": 1.0})


def test_fresh_begins_again_and_keeps_nothing() -> None:
    with RunFolder.open("here", "", RECIPE) as run:
        run.log(1, {"loss": 2.0})
        (run.checkpoints / "step-000001").mkdir(parents=True)
        (run.path / "report.json").touch()
        assert run.finished
    with RunFolder.open("here", "", {**RECIPE, "lr": 1.0}, fresh=True) as run:
        assert run.metrics() == []
        assert not run.finished
        assert not run.checkpoints.exists()
        assert run.recipe()["lr"] == 1.0


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_with_other_things_is_never_touched(fresh: bool) -> None:
    Path("home").mkdir()
    Path("home/thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"home is not empty and holds no run .*thesis.tex"):
        RunFolder.open("home", "", RECIPE, fresh=fresh)
    assert [path.name for path in Path("home").iterdir()] == ["thesis.tex"]


def test_a_folder_of_recipes_and_data_is_not_taken_for_a_run() -> None:
    """`out=.` beside one's own recipe.yaml: `--fresh` there must not delete the data."""
    Path("recipe.yaml").write_text("lr: 1\n")
    Path("chats.jsonl").write_text("{}\n")
    for fresh in (False, True):
        with pytest.raises(ConfigError, match="holds no run"):
            RunFolder.open(".", "", RECIPE, fresh=fresh)
    assert sorted(path.name for path in Path().iterdir()) == ["chats.jsonl", "recipe.yaml"]


def test_fresh_leaves_what_a_person_put_beside_the_run() -> None:
    RunFolder.open("here", "", RECIPE).close()
    Path("here/notes.txt").write_text("the best one so far")
    RunFolder.open("here", "", {**RECIPE, "lr": 1.0}, fresh=True).close()
    assert Path("here/notes.txt").read_text() == "the best one so far"


def test_a_file_in_the_place_of_the_folder_is_refused() -> None:
    Path("here").touch()
    with pytest.raises(ConfigError, match="here is a file, not a folder"):
        RunFolder.open("here", "", RECIPE)


def test_an_empty_folder_and_a_killed_beginning_are_welcome() -> None:
    Path("here").mkdir()
    Path("here/.recipe.yaml.writing").write_text("mod")
    with RunFolder.open("here", "", RECIPE) as run:
        assert run.recipe()["model"] == "m"
        assert sorted(path.name for path in Path("here").iterdir()) == [".lock", "recipe.yaml"]


def test_the_recipe_is_kept_with_its_comments() -> None:
    with RunFolder.open("here", "", {"lr": 1}, text="# Highest learning rate.\nlr: 1\n"):
        assert Path("here/recipe.yaml").read_text().startswith("# Highest")
    RunFolder.open("here", "", {"lr": 1.0, "track": ("wandb",)}).close()


def test_a_second_process_is_refused_until_the_first_is_dead() -> None:
    code = (
        "import sys, time; from luciola.runs.folder import RunFolder\n"
        "run = RunFolder.open('here', '', {'lr': 1}); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StorageError, match=f"here is in use: process {other.pid} is training"):
            RunFolder.open("here", "", {"lr": 1})
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    RunFolder.open("here", "", {"lr": 1}).close()


def test_a_child_that_outlives_its_run_does_not_hold_the_folder() -> None:
    code = (
        "import os, time; from luciola.runs.folder import RunFolder\n"
        "run = RunFolder.open('here', '', {'lr': 1})\n"
        "if os.fork() == 0: print(os.getpid(), flush=True); time.sleep(60)\n"
        "else: time.sleep(0.2); os.kill(os.getpid(), 9)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        child = int(other.stdout.readline())
        assert other.wait() == -signal.SIGKILL
        try:
            RunFolder.open("here", "", {"lr": 1}).close()
        finally:
            os.kill(child, signal.SIGKILL)


def test_processes_beside_the_main_one_write_nothing() -> None:
    beside = RunFolder(Path("here"), writes=False)
    beside.log(1, {"loss": 1.0})
    beside.forget_after(0)
    assert beside.metrics() == []
    assert not Path("here").exists()


def test_figures_after_the_checkpoint_are_forgotten_and_a_torn_line_too() -> None:
    metrics = Metrics(Path("metrics.jsonl"))
    for step in (1, 2, 2, 3):
        metrics.append(step, {"loss": 1.0 / step})
    with Path("metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')  # kill -9
    metrics.forget_after(2)
    metrics.append(3, {"loss": 0.25})
    assert [row["step"] for row in metrics.rows()] == [1, 2, 2, 3]
    assert metrics.rows()[-1] == {"step": 3, "loss": 0.25}


def test_a_figure_that_is_no_number_is_null_in_the_file() -> None:
    Metrics(Path("metrics.jsonl")).append(1, {"loss": float("nan"), "grad_norm": float("inf")})
    assert Path("metrics.jsonl").read_text() == '{"step": 1, "loss": null, "grad_norm": null}\n'


def test_a_run_has_a_readable_name_that_follows_from_its_recipe() -> None:
    name = run_name("sft", "HuggingFaceTB/SmolLM2-135M-Instruct", "my data/Chats v2.jsonl", RECIPE)
    assert name[:-4] == "sft-smollm2-135m-instruct-chats-v2-"
    assert name == run_name(
        "sft", "HuggingFaceTB/SmolLM2-135M-Instruct", "my data/Chats v2.jsonl", dict(RECIPE)
    )
    other = run_name("sft", "m", "d", {**RECIPE, "lr": 3e-4})
    assert other[-4:] != name[-4:]


def test_settings_that_do_not_change_the_run_do_not_change_its_name() -> None:
    free = {**RECIPE, "out": "x", "track": ("wandb",), "keep": 3}
    assert run_name("sft", "m", "d", free) == run_name("sft", "m", "d", RECIPE)
    assert difference(free, RECIPE) == []


def test_differences_are_named_part_by_part() -> None:
    other = {"model": "m", "lora": {"r": 4, "targets": ["q", "v"]}, "seed": 1}
    assert difference(RECIPE, other) == ["lora.r", "lr", "seed"]
