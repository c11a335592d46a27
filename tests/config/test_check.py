"""The check with pydantic and the one without it make the same of the same values."""

from __future__ import annotations

import datetime
import sys
from typing import Any

import pytest

from luciola.config.check import WrongTypesError, build, build_plainly, build_with_pydantic
from luciola.config.settings import describe
from luciola.config.sft import SftConfig
from luciola.config.shape import Shaper

VALUES: list[Any] = [
    0, 1, -1, 3.0, 2.5, True, None, "", "x", "1", " 2 ", "2.0", "2e-4", "1_000", "nan", "inf",
    "Yes", "off", "cosine", "full", datetime.date(2026, 1, 2), [], [0.5], ["0.5", "0.9"],
    [0.1, 0.2, 0.3], ["q", 1], ["wandb"], {"a": 1}, {}, {"weight": 2}, [[1]],
]  # fmt: skip


def tree(values: dict[str, Any]) -> dict[str, Any]:
    return Shaper(SftConfig, "here").shaped({"model": "m", "data": "d", **values})


def outcome(builder: Any, values: dict[str, Any]) -> Any:
    try:
        return repr(builder(SftConfig, tree(values)))
    except WrongTypesError as error:
        return "wrong type at", error.places[0][:1]
    except Exception as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_both_checks_agree_on_every_setting(value: Any) -> None:
    pytest.importorskip("pydantic")
    one_of_each_type = {setting.type_text: setting for setting in describe(SftConfig)}
    for setting in one_of_each_type.values():
        part, _, name = setting.name.rpartition(".")
        values = {part: {name: value}} if part else {name: value}
        with_pydantic = outcome(build_with_pydantic, values)
        assert outcome(build_plainly, values) == with_pydantic, (setting.name, value)


def test_types_in_the_recipe_are_exact_without_pydantic_too() -> None:
    config = build_plainly(SftConfig, tree({"lr": 1, "batch": "4", "compile": "yes"}))
    assert (type(config.lr), type(config.batch), config.compile) == (float, int, True)


def test_without_pydantic_recipes_still_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    assert build(SftConfig, tree({"lr": "2e-4"})).lr == 0.0002
    with pytest.raises(WrongTypesError) as caught:
        build(SftConfig, tree({"lr": "fast", "batch": "many"}))
    assert caught.value.places == [("batch",), ("lr",)]
