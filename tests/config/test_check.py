"""The check of a recipe's types, against what pydantic 2.14 made of the same values."""

from __future__ import annotations

import datetime
import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from luciola.config.check import WrongTypesError, build
from luciola.config.ranges import SettingError
from luciola.config.settings import describe
from luciola.config.sft import SftConfig
from luciola.config.shape import Shaper
from luciola.config.study import StudyModel
from luciola.errors import ConfigError

VALUES: list[Any] = [
    0, 1, -1, 3.0, 2.5, True, None, "", "x", "1", " 2 ", "2.0", "2e-4", "1_000", "nan", "inf",
    "Yes", "off", "cosine", "full", datetime.date(2026, 1, 2), [], [0.5], ["0.5", "0.9"],
    [0.1, 0.2, 0.3], ["q", 1], ["wandb"], {"a": 1}, {}, {"weight": 2}, [[1]],
]  # fmt: skip
RECORDED: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "data" / "types_as_pydantic_reads_them.json").read_text()
)
"""For one setting of each type, by the value's repr: the repr of what came of it, or an error."""


def tree(values: dict[str, Any]) -> dict[str, Any]:
    return Shaper(SftConfig, "here").shaped({"model": "m", "data": "d", **values})


def outcome(name: str, value: Any) -> str:
    part, _, last = name.rpartition(".")
    try:
        given = tree({part: {last: value}} if part else {last: value})
    except ConfigError:
        return "refused earlier"
    try:
        return repr(reduce(getattr, name.split("."), build(SftConfig, given)))
    except WrongTypesError:
        return "wrong type"
    except SettingError:
        return "SettingError"


@pytest.mark.parametrize("name", RECORDED)
def test_values_become_what_pydantic_makes_of_them(name: str) -> None:
    assert {repr(value): outcome(name, value) for value in VALUES} == RECORDED[name]


def test_every_type_of_setting_was_recorded() -> None:
    types = {setting.name: setting.type_text for setting in describe(SftConfig)}
    assert {types[name] for name in RECORDED} == set(types.values())


def test_numbers_get_the_type_of_their_setting() -> None:
    config = build(SftConfig, tree({"lr": 1, "batch": "4", "compile": "yes"}))
    assert (type(config.lr), type(config.batch), config.compile) == (float, int, True)


def test_every_wrong_value_is_named() -> None:
    assert build(SftConfig, tree({"lr": "2e-4"})).lr == 0.0002
    with pytest.raises(WrongTypesError) as caught:
        build(SftConfig, tree({"lr": "fast", "batch": "many"}))
    assert caught.value.places == [("batch",), ("lr",)]


@pytest.mark.parametrize(
    ("given", "kept"), [(False, False), (True, True), ("no", False), (None, None)]
)
def test_a_switch_may_be_left_open(given: Any, kept: Any) -> None:
    assert build(StudyModel, {"model": "m", "raw": given}).raw is kept


def test_an_open_switch_takes_no_other_value() -> None:
    with pytest.raises(WrongTypesError):
        build(StudyModel, {"model": "m", "raw": "perhaps"})
