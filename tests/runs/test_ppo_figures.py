"""The figures of docs/ppo.md are what their scripts draw, and a run's figures can be drawn."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

from luciola.runs.metrics import Metrics
from luciola.runs.trace import TraceFile
from synthetic_trace import ppo_answer, ppo_run

FIGURES = Path(__file__).parents[2] / "docs" / "figures"


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, drawing into the test's folder."""
    monkeypatch.syspath_prepend(str(FIGURES))
    module = importlib.import_module("make_ppo_figures")
    monkeypatch.setattr(module, "HERE", tmp_path)
    return module


def test_the_diagrams_are_those_that_the_script_draws(scripts: ModuleType, tmp_path: Path) -> None:
    scripts.main([])
    drawn = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.glob("*.svg")}
    assert sorted(drawn) == ["ppo-clip.svg", "ppo-gae.svg", "ppo-loop.svg"]
    for name, content in drawn.items():
        assert (FIGURES / name).read_text(encoding="utf-8") == content, name


def test_the_figures_of_a_run_are_valid_and_name_it(scripts: ModuleType, tmp_path: Path) -> None:
    run = tmp_path / "polite"
    run.mkdir()
    odd = ppo_answer(["<b>", "\n", "\x07", "&", ""], iteration=4, prompt_index=1)
    for answer in [*ppo_run(3), odd]:
        TraceFile(run / "trace.jsonl").append(answer)
    for step in (1, 2):
        Metrics(run / "metrics.jsonl").append(step, {"score/mean": step, "objective/kl": 0.1})
    scripts.main([str(run), "1"])
    drawn = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.glob("ppo-run-*.svg")}
    assert len(drawn) == 4
    for content in drawn.values():
        ElementTree.fromstring(content)
    assert "run polite, ppo, prompt 1, steps 4, 12, 16" in drawn["ppo-run-answers.svg"]
    assert ">&lt;b&gt;</text>" in drawn["ppo-run-answers.svg"]
