"""The recipes of the random walks are understood, and learn at a reduced size."""

from __future__ import annotations

from pathlib import Path

import pytest

from luciola.config import load
from luciola.config.online import PpoConfig
from luciola.plugins import load_object
from luciola.tasks import randomwalks, walkers

RECIPES = Path(__file__).parents[2] / "recipes" / "randomwalks"


def test_the_walks_for_evaluation_begin_five_times_at_every_start() -> None:
    starts = randomwalks.eval_prompts()
    assert len(starts) == 100
    assert {letter: starts.count(letter) for letter in starts} == dict.fromkeys(
        "bcdefghijklmnopqrstu", 5
    )


def test_what_the_recipe_of_ppo_names_is_there() -> None:
    config = load(PpoConfig, RECIPES / "ppo.yaml", [])
    assert config.lr == pytest.approx(3e-4)
    assert load_object(config.model) is randomwalks.cloned_model
    assert load_object(config.prompts) is randomwalks.prompts
    assert load_object(config.eval_prompts) is randomwalks.eval_prompts
    assert load_object(*config.reward) is load_object(config.metric) is randomwalks.optimality


def test_ppo_finds_shorter_ways_than_it_has_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe with a model of one layer, in 48 steps; bench/randomwalks.py runs it in full."""
    from luciola.methods.online.running import run

    monkeypatch.setenv("LUCIOLA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(walkers, "LAYERS", 1)
    monkeypatch.setattr(walkers, "WIDTH", 48)
    monkeypatch.setattr(walkers, "LR", 3e-3)
    settings = ["iterations=12", "lr=3e-3", "eval_every=48", f"out={tmp_path / 'walks'}"]
    result = run(load(PpoConfig, RECIPES / "ppo.yaml", settings), show=False)
    first, last = (row["optimality"] for row in result.figures["evaluations"])
    assert first < 0.5
    assert last > 0.75
    assert result.figures["evaluations"][-1]["score"] == pytest.approx(last)
