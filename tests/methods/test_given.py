"""Python objects in the place of what a recipe names."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import luciola
from luciola.errors import ConfigError, DataError, StorageError
from luciola.methods.given import are_rows, named_objects, named_rows
from luciola.training.loop import Loop
from support import build_llama, write_chats, write_model

SETTINGS: dict[str, Any] = {
    "iterations": 1, "rollouts": 4, "batch": 4, "updates": 1, "max_new_tokens": 3,
    "precision": "fp32", "device": "cpu", "trace_prompts": 0, "packing": "padded",
}  # fmt: skip


def short(answers: list[str]) -> list[float]:
    return [-float(len(answer)) for answer in answers]


class Longest:
    """Scores by an object."""

    def score(self, answered: Any) -> None: ...


def test_rows_are_named_by_their_content() -> None:
    first, second = named_rows(["Q: a", "Q: b"]), named_rows(["Q: a", "Q: c"])
    assert first.startswith("<2 rows ")
    assert first != second
    assert first == named_rows(("Q: a", "Q: b"))
    assert named_rows("prompts.jsonl") == "prompts.jsonl"
    assert named_rows([]) == ""


def test_functions_are_named_by_their_code() -> None:
    scope: dict[str, Any] = {}
    exec("def short(answers):\n    return [0.0 for _ in answers]\n", scope)
    assert named_objects(short).startswith("<short ")
    assert named_objects(scope["short"]).startswith("<short "), "also without source"
    assert named_objects(scope["short"]) != named_objects(short)
    assert named_objects(Longest()).startswith("<Longest ")
    assert named_objects([short, "length:2-4"]) == [named_objects(short), "length:2-4"]
    assert named_objects("") == ""


def test_sources_with_weights_are_no_rows() -> None:
    assert are_rows([{"prompt": "a", "output": "b", "reward": 1}])
    assert not are_rows([{"path": "a.jsonl", "weight": 2}])
    assert not are_rows("a.jsonl")


def test_other_prompts_of_the_same_number_are_another_run(tmp_path: Path) -> None:
    """Also where prompts have a colon in them, and where they can be gone through only once."""
    model = str(write_model(tmp_path / "model"))
    given = {"model": model, "reward": short, **SETTINGS}
    first = luciola.ppo(prompts=["Q: a", "Q: b"], **given)
    second = luciola.ppo(prompts=iter(["Q: a", "Q: c"]), **given)
    again = luciola.ppo(prompts=["Q: a", "Q: b"], **given)
    assert [run.ending for run in (first, second, again)] == [
        "finished", "finished", "finished before",
    ]  # fmt: skip
    assert first.folder == again.folder != second.folder


def test_a_run_does_not_go_on_with_other_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = str(write_model(tmp_path / "model"))
    prompts = Path("prompts.txt")
    prompts.write_text("one\ntwo\n")
    given = {"model": model, "reward": short, **SETTINGS, "iterations": 2, "save_every": 1}

    def interrupted(self: Any) -> None:
        self._save()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_save_if_due", interrupted)
        with pytest.raises(KeyboardInterrupt):
            luciola.rloo(prompts="prompts.txt", **given)
    prompts.write_text("one\nthree\n")
    with pytest.raises(DataError, match="the prompts have changed since this run began"):
        luciola.rloo(prompts="prompts.txt", **given)
    fresh = luciola.rloo(prompts="prompts.txt", fresh=True, **given)
    assert fresh.ending == "finished"


def test_a_run_of_an_older_version_goes_on_and_one_that_lacks_more_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints did not always say which prompts they were made with."""
    given = {"model": str(write_model(tmp_path / "model")), "reward": short, "out": "run"}
    given |= {**SETTINGS, "iterations": 2, "save_every": 1}

    def interrupted(self: Any) -> None:
        self._save()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_save_if_due", interrupted)
        with pytest.raises(KeyboardInterrupt):
            luciola.rloo(prompts=["one", "two"], **given)
    (file,) = Path("run/checkpoints").glob("*/method.pt")
    state = torch.load(file, weights_only=True)
    del state["data"]
    torch.save({k: v for k, v in state.items() if k != "moments"}, file)
    with pytest.raises(StorageError, match=r"step-000001: another version .* lacks 'moments'"):
        luciola.rloo(prompts=["one", "two"], **given)
    torch.save(state, file)
    assert luciola.rloo(prompts=["one", "two"], **given).ending == "finished"


def weighted(weight: float) -> Any:
    def score(answers: list[str]) -> list[float]:
        return [weight * len(answer) for answer in answers]

    return score


def interrupted(self: Any) -> None:
    self._save()
    raise KeyboardInterrupt


def test_a_closure_with_another_number_is_another_run(tmp_path: Path) -> None:
    given = {"model": str(write_model(tmp_path / "model")), "prompts": ["one", "two"], **SETTINGS}
    runs = [luciola.ppo(reward=weighted(weight), **given) for weight in (2.0, -2.0, 2.0)]
    assert [run.ending for run in runs] == ["finished", "finished", "finished before"]
    assert runs[0].folder == runs[2].folder != runs[1].folder
    judged = [
        luciola.ppo(
            reward=short, eval_prompts=["hi"], metric=metric, **given
        ).figures["evaluations"][0]["m"]
        for metric in (lambda answers: {"m": [1.0]}, lambda answers: {"m": [2.0]})
    ]  # fmt: skip
    assert judged == [1.0, 2.0]


def test_what_cannot_be_compared_begins_anew_and_says_how_to_name_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = {"model": str(write_model(tmp_path / "model")), "prompts": ["one", "two"], **SETTINGS}
    with sqlite3.connect(":memory:") as db:

        def counted(answers: list[str]) -> list[float]:
            return [float(db.total_changes) for _ in answers]

        first = luciola.ppo(reward=counted, **given)
        second = luciola.ppo(reward=counted, **given)
        assert (first.ending, second.ending) == ("finished", "finished")
        assert first.folder != second.folder
        assert (
            "reward: counted.db, a sqlite3.Connection, cannot be compared with that of an earlier "
            "run, so this run begins anew → reward=luciola.named('NAME', ...) compares by that name"
        ) in caplog.text
        with pytest.raises(ConfigError, match=r"another recipe; it differs in reward"):
            luciola.ppo(reward=counted, out=str(first.folder), **given)
        caplog.clear()
        named = [luciola.ppo(reward=luciola.named("a", counted), **given) for _ in range(2)]
        other = luciola.ppo(reward=[luciola.named("b", counted)], **given)
    assert [run.ending for run in (*named, other)] == ["finished", "finished before", "finished"]
    assert "compared" not in caplog.text
    db.close()


@pytest.mark.parametrize("finished", [False, True])
def test_a_reward_file_that_was_edited_is_refused(
    finished: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that it imports; comments may change."""
    model = str(write_model(tmp_path / "model"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"rules_{finished}"
    text = f"import {name}\n\ndef polite(answers):\n    return [{name}.rule(a) for a in answers]\n"
    Path("mine.py").write_text(text)
    Path(f"{name}.py").write_text("def rule(answer):\n    return float(len(answer))\n")
    given = {"model": model, "reward": "mine.py:polite", "prompts": ["one", "two"], **SETTINGS}
    given |= {"iterations": 2, "save_every": 1}
    if finished:
        luciola.rloo(**given)
    else:
        with monkeypatch.context() as patched:
            patched.setattr(Loop, "_save_if_due", interrupted)
            with pytest.raises(KeyboardInterrupt):
                luciola.rloo(**given)
    said = "the reward mine.py:polite has changed since this run began"
    Path("mine.py").write_text(text.replace("rule(a)", "rule(a) + 1"))
    with pytest.raises(DataError, match=said):
        luciola.rloo(**given)
    Path("mine.py").write_text(text)
    Path(f"{name}.py").write_text("def rule(answer):\n    return -float(len(answer))\n")
    del sys.modules[name]
    Path("mine.py").write_text(f"\n{text}")  # else the module of before stands for the file
    with pytest.raises(DataError, match=said):
        luciola.rloo(**given)
    Path(f"{name}.py").write_text("def rule(answer):  # why\n    return float(len(answer))\n")
    del sys.modules[name]
    Path("mine.py").write_text(f"# what is polite\n{text}")
    assert luciola.rloo(**given).ending == ("finished before" if finished else "finished")


def test_a_finished_run_is_not_handed_out_for_other_data_or_another_model(tmp_path: Path) -> None:
    chats, model = write_chats(tmp_path / "chats.jsonl"), write_model(tmp_path / "model")
    given = {"model": str(model), "data": str(chats), "max_steps": 1, "device": "cpu"}
    luciola.sft(**given)
    assert luciola.sft(**given).ending == "finished before"
    before = chats.read_text()
    chats.write_text(before.replace("what is 1+1?", "what is 1+8?"))
    with pytest.raises(DataError, match="the data have changed since this run began"):
        luciola.sft(**given)
    chats.write_text(before)
    weights = build_llama(attention="sdpa", seed=9)
    weights.save_pretrained(str(model))
    with pytest.raises(DataError, match=r"the model .*model has changed since this run began"):
        luciola.sft(**given)


def test_columns_that_a_reward_reads_count(tmp_path: Path) -> None:
    """Prompts of the same texts with other labels are other prompts."""
    rows = Path("rows.jsonl")
    rows.write_text('{"prompt": "one", "label": "1"}\n')
    given = {"model": str(write_model(tmp_path / "model")), "reward": short, **SETTINGS}
    luciola.ppo(prompts="rows.jsonl", **given)
    rows.write_text('{"prompt": "one", "label": "2"}\n')
    with pytest.raises(DataError, match="the prompts have changed since this run began"):
        luciola.ppo(prompts="rows.jsonl", **given)
