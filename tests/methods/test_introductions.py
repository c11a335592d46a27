"""The first line of a run, whatever the method: what is trained, and where and how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.cli.main import main
from support import write_chats, write_model

ROW = {"prompt": "a", "chosen": "b", "rejected": "c", "output": "d", "reward": 1.0}


@pytest.mark.parametrize("method", ["sft", "reward", "dpo", "ilql", "ppo"])
def test_every_method_says_where_and_how_it_trains(
    method: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Device, processes, precision, rows, and the attention function that was chosen."""
    monkeypatch.chdir(tmp_path)
    write_model(Path("model"))
    write_chats(Path("chats.jsonl"))
    keys = ("prompt", "output", "reward") if method == "ilql" else ("prompt", "chosen", "rejected")
    Path("rows.jsonl").write_text(json.dumps({key: ROW[key] for key in keys}) + "\n")
    given = "data=chats.jsonl" if method == "sft" else "data=rows.jsonl"
    if method == "ppo":
        Path("my.py").write_text("def score(answers):\n    return [0.0] * len(answers)\n")
        Path("asked.jsonl").write_text('{"prompt": "a"}\n')
        given = "prompts=asked.jsonl reward=my.py:score rollouts=1 batch=1 max_new_tokens=2"
    words = f"train {method} model=model {given} packing=packed precision=fp32 device=cpu"
    assert main([*words.split(), "max_steps=1", "out=run"]) == 0
    shown = capsys.readouterr().err
    assert "on the CPU in 1 process, fp32, packed rows, luciola attention, in run" in shown


@pytest.mark.parametrize(("packing", "told"), [("tree", True), ("packed", False)])
def test_what_trees_save_is_told_where_rows_are_trees(
    packing: str,
    told: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the run and in the dry run before it; the examples begin with one system message."""
    monkeypatch.chdir(tmp_path)
    write_model(Path("model"))
    turns = [{"role": "system", "content": "You answer in as few words as there can be."}]
    rows = [[*turns, {"role": "user", "content": q}, {"role": "assistant", "content": q}]
            for q in "abcd"]  # fmt: skip
    Path("chats.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    words = f"train sft model=model data=chats.jsonl packing={packing} precision=fp32 device=cpu"
    for more in ("--dry-run", "max_steps=1"):
        assert main([*words.split(), more, "out=run"]) == 0
        found = capsys.readouterr()
        assert ("prefixes computed once in a tree" in found.out + found.err) is told, more
