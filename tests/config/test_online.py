"""Recipes of online methods that could not learn, or whose evaluation has nothing to look at."""

from __future__ import annotations

from typing import Any

import pytest

from luciola.config.ilql import IlqlConfig
from luciola.config.load import from_mapping
from luciola.config.online import GrpoConfig, OnlineConfig, PpoConfig, RlooConfig
from luciola.errors import ConfigError

GIVEN = {"model": "m", "prompts": "p.jsonl", "reward": "length:1-5"}


@pytest.mark.parametrize("method", [GrpoConfig, RlooConfig])
def test_one_answer_to_a_prompt_has_nothing_to_be_compared_with(method: type[OnlineConfig]) -> None:
    """Every advantage would be 0, and the run would end without having learned anything."""
    with pytest.raises(ConfigError, match="answers must be compared with others, got 1") as caught:
        from_mapping(method, {**GIVEN, "answers": 1})
    assert caught.value.remedy == "Take answers=4 or more."


def test_one_answer_is_enough_where_the_batch_is_the_baseline() -> None:
    recipe = from_mapping(RlooConfig, {**GIVEN, "answers": 1, "baseline": "batch"})
    assert recipe.answers == 1


@pytest.mark.parametrize(("name", "value"), [("patience", 2), ("metric", "m.py:f")])
def test_what_judges_an_evaluation_asks_for_prompts(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} has no answers to judge") as caught:
        from_mapping(PpoConfig, {**GIVEN, name: value})
    assert caught.value.remedy == "Give eval_prompts=FILE."
    assert from_mapping(PpoConfig, {**GIVEN, name: value, "eval_prompts": "e.jsonl"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kl_target": 6, "kl_coef": 0}, "kl_target multiplies kl_coef, which is 0"),
        ({"critic_lr": 1e-4, "lr": 0}, "critic_lr is a multiple of lr, which is 0"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_mapping(PpoConfig, {**GIVEN, **given})


def test_heads_of_ilql_cannot_learn_at_a_multiple_of_nothing() -> None:
    with pytest.raises(ConfigError, match="head_lr is a multiple of lr, which is 0"):
        from_mapping(IlqlConfig, {"model": "m", "data": "d.jsonl", "lr": 0, "head_lr": 1e-4})
