"""The base of an adapter is found from every working directory, and never asked of the network."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import luciola
from luciola.chat.loading import tell_other_base
from luciola.cli.main import main
from luciola.errors import ModelError
from luciola.models.adapter_base import base_of
from luciola.models.load import load_model, load_tokenizer
from luciola.models.source import resolve
from support import write_chats, write_model

IDS = torch.tensor([[5, 6, 7, 8, 9, 10]])


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base and a run that was trained with relative paths; the working directory is another."""
    place = tmp_path / "project"
    write_model(place / "base")
    write_chats(place / "chats.jsonl")
    monkeypatch.chdir(place)
    luciola.sft(model="base", data="chats.jsonl", out="runs/one", max_steps=1, device="cpu")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return place


def record(adapter: Path, base: str) -> None:
    file = adapter / "adapter_config.json"
    settings = json.loads(file.read_text()) | {"base_model_name_or_path": base}
    file.write_text(json.dumps(settings))


def recorded(adapter: Path) -> str:
    settings = json.loads((adapter / "adapter_config.json").read_text())
    return str(settings["base_model_name_or_path"])


def test_a_run_records_its_base_by_an_absolute_path(project: Path) -> None:
    assert recorded(project / "runs/one/model") == str(project / "base")


@pytest.mark.parametrize(
    "base", ["base", "./base", "../../../base", "runs/../base", "~/project/base"]
)
def test_a_relative_base_is_found_from_any_working_directory(
    base: str, project: Path, offline: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to the adapter's folder, or to the folder that it was trained in, three above."""
    monkeypatch.setenv("HOME", str(project.parent))
    adapter = project / "runs/one/model"
    expected = logits(load_model(adapter))
    record(adapter, base)
    for place in (project, project / "runs", project.parent / "elsewhere", Path("/")):
        os.chdir(place)
        assert base_of(Path(os.path.relpath(adapter))).path == project / "base"
    assert torch.equal(logits(load_model(adapter)), expected)
    assert load_tokenizer(adapter).chat_template
    assert not offline


def test_a_folder_of_that_name_in_the_working_directory_comes_last(project: Path) -> None:
    record(project / "runs/one/model", "base")
    write_model(Path("base"))
    assert base_of(project / "runs/one/model").path == project / "base"
    shutil.rmtree(project / "base")
    assert base_of(project / "runs/one/model").path == Path("base").absolute()


def test_the_adapter_is_never_its_own_base(project: Path, offline: list[Any]) -> None:
    """`model` is recorded, and the adapter is in a folder called model."""
    record(project / "runs/one/model", "model")
    with pytest.raises(ModelError, match="belongs to the model 'model', which is not there"):
        base_of(project / "runs/one/model")
    (project / "base").rename(project / "model")
    assert base_of(project / "runs/one/model").path == project / "model"


def test_an_adapter_inside_its_bases_folder_finds_it(project: Path) -> None:
    shutil.copytree(project / "runs/one/model", project / "base/adapter")
    record(project / "base/adapter", "..")
    assert base_of(project / "base/adapter").path == project / "base"


def test_a_base_that_was_moved_along_is_taken_with_a_notice(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = logits(load_model(project / "runs/one/model"))
    moved = project.parent / "moved"
    project.rename(moved)
    assert torch.equal(logits(load_model(moved / "runs/one/model")), expected)
    assert f"{moved / 'base'} is taken for it" in caplog.text


@pytest.mark.parametrize("base", ["base", "runs/mine/model", "/gone/base", "./base", "a/b/c"])
def test_a_missing_base_is_one_sentence_and_no_request(
    base: str, project: Path, offline: list[Any]
) -> None:
    adapter = project / "runs/one/model"
    shutil.rmtree(project / "base")
    record(adapter, base)
    with pytest.raises(ModelError) as caught:
        load_model(adapter)
    assert f"belongs to the model {base!r}, which is not there" in caught.value.message
    if not base.startswith("/"):
        looked = f"(looked in {adapter}, the folders above it, and {Path.cwd()})"
        assert looked in caught.value.message
    assert str(adapter / "adapter_config.json") in str(caught.value)
    assert not offline


def test_a_base_that_is_not_recorded_is_asked_for(project: Path) -> None:
    record(project / "runs/one/model", "")
    with pytest.raises(ModelError, match="does not say what model it was trained on"):
        base_of(project / "runs/one/model")


@pytest.mark.parametrize("base", ["gpt2", "someone/else"])
def test_the_hub_is_meant_by_an_owner_and_a_name(base: str, project: Path) -> None:
    record(project / "runs/one/model", base)
    assert base_of(project / "runs/one/model").kind == "hub"


def test_an_owner_that_is_a_folder_beside_the_adapter_is_a_path(project: Path) -> None:
    (project / "someone").mkdir()
    record(project / "runs/one/model", "someone/else")
    with pytest.raises(ModelError, match="which is not there"):
        base_of(project / "runs/one/model")


def test_going_on_with_a_relative_adapter_records_an_absolute_base(
    project: Path, offline: list[Any]
) -> None:
    record(project / "runs/one/model", "base")
    data = str(project / "chats.jsonl")
    run = str(project / "runs/one")
    luciola.sft(model=run, data=data, out="two", max_steps=1, device="cpu")
    assert recorded(Path("two/model")) == str(project / "base")
    assert not offline


def test_another_base_is_told_by_its_place(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    adapter = resolve(project / "runs/one/model")
    os.chdir(project / "base")
    assert not tell_other_base(adapter, resolve("."))
    record(adapter.path, "base")
    assert not tell_other_base(adapter, resolve("."))
    other = write_model(project / "other")
    assert tell_other_base(adapter, resolve(other))


def test_a_relative_and_an_absolute_path_are_the_same_model(project: Path) -> None:
    os.chdir(project)
    base = base_of(Path("runs/one/model"))
    assert base.is_same(resolve("base"))
    assert not base.is_same(resolve(write_model(project / "other")))


def test_every_command_takes_a_relative_adapter_from_elsewhere(
    project: Path, offline: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(project / "runs/one")
    record(project / "runs/one/model", "base")
    data = str(project / "chats.jsonl")
    Path("prompts.jsonl").write_text('{"prompt": "How many?", "db_id": "shop"}\n')
    for words in (
        ["chat", run, "hi", "max_new_tokens=2", "--device", "cpu"],
        ["merge", run, "merged"],
        ["export", run, "--gguf", "out.gguf"],
        ["sql", "answer", "--model", run, "--prompts", "prompts.jsonl", "--out", "predictions.sql",
         "--max-tokens", "2", "--device", "cpu"],
        ["plan", f"model={run}", f"data={data}"],
        ["train", "sft", f"model={run}", f"data={data}", "device=cpu", "--dry-run"],
    ):  # fmt: skip
        assert main(words) == 0, (words, capsys.readouterr())
    assert not offline


def test_a_relative_reward_model_scores_and_is_shared_from_elsewhere(
    project: Path, offline: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"instruction": f"ask {n}", "output": ["please", "no"]} for n in range(4)]
    data = project / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.chdir(project)
    luciola.reward_model(model="base", data=str(data), max_steps=1, device="cpu", out="runs/reward")
    reward = project / "runs/reward/model"
    assert recorded(reward) == str(project / "base")
    words = ["score", str(reward), "--prompt", "ask", "--answer", "please", "--device", "cpu"]
    assert main(words) == 0
    expected = capsys.readouterr().out
    record(reward, "base")
    os.chdir("/")
    assert main(words) == 0
    assert capsys.readouterr().out == expected
    assert not offline
