"""Which points a study has."""

from __future__ import annotations

from typing import Any

import pytest

from luciola.config import from_mapping
from luciola.config.study import StudyConfig
from luciola.errors import ConfigError
from luciola.specialist.study.grid import Plan, Point, plan


def study(grids: list[dict[str, Any]], **settings: Any) -> StudyConfig:
    given = {"questions": "q", "databases": "d", "pool": "p", "out": "o", "models": ["m"]}
    return from_mapping(StudyConfig, {**given, "grids": grids, **settings})


def ways(found: Plan) -> list[str]:
    return [point.way for point in found.points]


def test_a_grid_is_the_product_of_its_lists() -> None:
    found = plan(study([{"representations": ["TR_P", "AS_P"], "rule": ["with", "without"]}]))
    assert ways(found) == ["TR_P+rule", "TR_P", "AS_P+rule", "AS_P"]


def test_the_default_of_each_representation_is_the_papers_figure_1() -> None:
    """OD_P says the rule by itself, so leaving it out is the variant."""
    found = plan(study([{"rule": ["default", "without"], "representations": ["OD_P"]}]))
    assert ways(found) == ["OD_P", "OD_P-rule"]


def test_what_does_not_exist_is_left_out_and_counted() -> None:
    """CR_P has no variant without foreign keys; BS_P none with the rule."""
    found = plan(study([{"representations": ["CR_P", "TR_P"], "foreign_keys": ["without"]}]))
    assert (ways(found), found.impossible) == (["TR_P"], 1)
    found = plan(study([{"representations": ["BS_P", "TR_P"], "rule": ["with"]}]))
    assert (ways(found), found.impossible) == (["TR_P+rule"], 1)


def test_a_point_of_several_grids_is_asked_once() -> None:
    grids = [{"representations": ["TR_P"]}, {"representations": ["TR_P"], "rule": ["without"]}]
    found = plan(study(grids))
    assert (ways(found), found.repeated) == (["TR_P"], 1)


def test_without_examples_selection_and_organization_mean_nothing() -> None:
    grid = {
        "representations": ["CR_P"],
        "shots": [0, 1],
        "selections": ["QTS_S", "RANDOM"],
        "organizations": ["FI_O"],
    }
    found = plan(study([grid]))
    assert ways(found) == ["CR_P", "CR_P 1 x QTS_S FI_O", "CR_P 1 x RANDOM FI_O"]
    assert found.repeated == 1


def test_first_answers_are_asked_before_what_needs_them() -> None:
    grid = {"representations": ["CR_P"], "shots": [3], "selections": ["DAIL_S"]}
    found = plan(study([grid]))
    assert ways(found) == ["CR_P 3 x MQS_S DAIL_O", "CR_P 3 x DAIL_S DAIL_O"]
    assert [point.way for point in found.added] == ["CR_P 3 x MQS_S DAIL_O"]
    assert ways(plan(study([grid], first_answers="ZERO_SHOT")))[0] == "CR_P"
    assert len(plan(study([grid], first_answers="answers.sql")).points) == 1


def test_first_answers_that_a_grid_names_anyway_cost_nothing_more() -> None:
    grid = {"representations": ["CR_P"], "shots": [3], "selections": ["DAIL_S", "MQS_S"]}
    found = plan(study([grid]))
    assert ways(found) == ["CR_P 3 x MQS_S DAIL_O", "CR_P 3 x DAIL_S DAIL_O"]
    assert found.added == ()


def test_points_stand_model_by_model() -> None:
    grids = [{"representations": ["TR_P"]}, {"representations": ["AS_P"]}]
    found = plan(study(grids, models=["a", "b"]))
    assert [point.model for point in found.points] == ["a", "a", "b", "b"]


def test_a_model_is_asked_in_the_representation_that_it_was_trained_with() -> None:
    models = [{"model": "base"}, {"model": "runs/tuned", "representation": "SQLWRULE"}]
    found = plan(study([{"representations": ["OWN", "BS_P"]}], models=models))
    assert [(p.model, p.way) for p in found.points] == [
        ("base", "BS_P"),
        ("tuned", "CR_P+rule"),
        ("tuned", "BS_P"),
    ]


def test_a_grid_may_be_for_some_models_only() -> None:
    found = plan(study([{"representations": ["TR_P"], "models": ["b"]}], models=["a", "b"]))
    assert found.points == (Point("b", "TR_P", False, "plain"),)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"representations": ["CR_Q"]}, "no representation 'CR_Q'"),
        ({"selections": ["DALI_S"]}, "no selection 'DALI_S'"),
        ({"organizations": ["QO"]}, "no organization 'QO'"),
        ({"representations": ["CR_P"], "foreign_keys": ["without"]}, "no combination"),
        ({"models": ["n"]}, "names 'n', and the models are m"),
    ],
)
def test_names_that_there_are_not_are_refused(grid: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plan(study([grid]))


def test_shots_need_a_pool() -> None:
    with pytest.raises(ConfigError, match="pool is missing"):
        study([{"shots": [1]}], pool="")


def test_two_models_need_two_names() -> None:
    with pytest.raises(ConfigError, match="another model's"):
        study([{}], models=["a/model", "b/model"])
    assert study([{}], models=["a@runs/model", "b@runs/model"]).models[0].label == "a"
