"""The type check of a recipe: values from YAML become the types of its fields, or an error.

Lax in the ways that YAML and the command line need: `2e-4` and `"16"` are numbers, `yes` is true.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from luciola.config.place import Place
from luciola.config.ranges import type_hints
from luciola.config.settings import bare, is_part, missing

TRUE = {"1", "on", "t", "true", "y", "yes"}
FALSE = {"0", "off", "f", "false", "n", "no"}


class WrongTypesError(Exception):
    """The places in the tree whose values do not fit their types; never reaches a user as it is."""

    def __init__(self, places: list[Place]) -> None:
        super().__init__(places)
        self.places = places


def build(cls: type[Any], tree: Mapping[str, Any]) -> Any:
    """An instance of `cls` from a tree whose keys are known to exist.

    Raises: WrongTypesError, or SettingError from the class's own checks.
    """
    wrong: list[Place] = []
    instance = _part(cls, tree, (), wrong)
    if wrong:
        raise WrongTypesError(wrong)
    return instance


def _part(cls: type[Any], tree: Any, place: Place, wrong: list[Place]) -> Any:
    if not isinstance(tree, Mapping):
        wrong.append(place)
        return None
    hints = type_hints(cls)
    wrong += [(*place, name) for name in missing(cls, tree)]
    values = {
        field.name: _value(hints[field.name], tree[field.name], (*place, field.name), wrong)
        for field in fields(cls)
        if field.name in tree
    }
    return None if wrong else cls(**values)


def _value(hint: Any, value: Any, place: Place, wrong: list[Place]) -> Any:
    kind = bare(hint)
    if get_origin(kind) is UnionType:  # of a type and None
        return None if value is None else _value(get_args(kind)[0], value, place, wrong)
    if is_part(kind):
        return _part(kind, value, place, wrong)
    if get_origin(kind) is tuple:
        return _items(get_args(kind), value, place, wrong)
    try:
        return _scalar(kind, value)
    except (ValueError, OverflowError):
        wrong.append(place)
        return None


def _items(kinds: tuple[Any, ...], value: Any, place: Place, wrong: list[Place]) -> Any:
    if kinds[-1] is ...:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        wrong.append(place)
        return None
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(_value(kind, item, (*place, index), wrong) for index, (kind, item) in pairs)


def _scalar(kind: Any, value: Any) -> Any:
    if get_origin(kind) is Literal:
        return _one_of(get_args(kind), value)
    if kind is bool:
        return _truth(value)
    if kind is str or not isinstance(value, int | float | str):
        return _exactly(kind, value)
    number = float(value.replace("_", "") if isinstance(value, str) else value)
    if kind is float:
        return number
    if isinstance(value, str) and "e" in value.lower():
        raise ValueError(value)
    return int(value) if isinstance(value, int) else _whole(number)


def _one_of(choices: tuple[Any, ...], value: Any) -> Any:
    if any(value == choice and type(value) is type(choice) for choice in choices):
        return value
    raise ValueError(value)


def _exactly(kind: type[Any], value: Any) -> Any:
    if isinstance(value, kind):
        return value
    raise ValueError(value)


def _truth(value: Any) -> bool:
    text = str(value).lower() if isinstance(value, bool | str) else f"{_number(value):g}"
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise ValueError(value)


def _number(value: Any) -> float:
    return float(_exactly(int | float, value))  # type: ignore[arg-type]  # a union works in isinstance


def _whole(number: float) -> int:
    if math.isfinite(number) and number.is_integer():
        return int(number)
    raise ValueError(number)
