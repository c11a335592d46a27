"""Python objects in the place of what a recipe names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import luciola
from luciola.errors import DataError, StorageError
from luciola.methods.given import are_rows, named_objects, named_rows
from luciola.training.loop import Loop
from support import write_model

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


def test_functions_are_named_by_their_source() -> None:
    scope: dict[str, Any] = {}
    exec("def short(answers):\n    return [0.0 for _ in answers]\n", scope)
    assert named_objects(short).startswith("<short ")
    assert named_objects(scope["short"]) == "<short>", "nothing is known of its source"
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
