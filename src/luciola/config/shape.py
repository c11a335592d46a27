"""Bring what a person wrote into the shape of a recipe class, before the types are checked.

Shorthands are unfolded (`data=chats.jsonl` is a list of one source), unknown keys are refused
with the name that was probably meant. What is left for the type check is a plain tree of mappings,
lists and scalars.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from luciola.config.names import nearest
from luciola.config.place import Place, spelled
from luciola.config.ranges import type_hints
from luciola.config.settings import bare, is_part
from luciola.errors import ConfigError

Tree = dict[str, Any]


@dataclass(frozen=True)
class Shaper:
    """Shapes the values of one source for the recipe class `cls`; `where` names it in errors."""

    cls: type[Any]
    where: str

    def shaped(self, values: Mapping[Any, Any]) -> Tree:
        """`values` with every shorthand unfolded. Raises: ConfigError for an unknown key."""
        return self._tree(self.cls, values, ())

    def _tree(self, cls: type[Any], values: Mapping[Any, Any], place: Place) -> Tree:
        hints = type_hints(cls)
        for key in values:
            if key not in hints:
                raise unknown(self.cls, cls, (*place, str(key)), self.where)
        return {key: self._value(hints[key], value, (*place, key)) for key, value in values.items()}

    def _value(self, hint: Any, value: Any, place: Place) -> Any:
        kind = bare(hint)
        if is_part(kind):
            return self._part(kind, value, place)
        if get_origin(kind) is tuple:
            item = get_args(kind)[0]
            items = enumerate(_items(value))
            return [self._value(item, value, (*place, index)) for index, value in items]
        return _scalar(kind, value)

    def _part(self, cls: type[Any], value: Any, place: Place) -> Any:
        if isinstance(value, cls):
            value = {field.name: getattr(value, field.name) for field in fields(cls)}
        if isinstance(value, str | os.PathLike) and hasattr(cls, "from_text"):
            value = cls.from_text(os.fspath(value))
        if value is None:  # `lora:` with nothing below it
            value = {}
        return self._tree(cls, value, place) if isinstance(value, Mapping) else value


def _items(value: Any) -> Sequence[Any]:
    """A list from a list, from one item, or from `a,b`; a file whose name holds a comma is one."""
    if value is None:
        return []
    if isinstance(value, str) and not Path(value).expanduser().exists():
        return [part.strip() for part in value.split(",") if part.strip()]
    return value if isinstance(value, list | tuple) else [value]


def _scalar(kind: Any, value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if kind is str and value is None:  # `system:` with nothing after it
        return ""
    if kind in (int, float) and isinstance(value, bool):  # `lr: yes` is no learning rate of 1
        return str(value).lower()
    return value


def unknown(root: type[Any], cls: type[Any], place: Place, where: str) -> ConfigError:
    """The error for a key that `cls`, a part of the recipe `root`, does not have."""
    names = [field.name for field in fields(cls)]
    *part, key = place
    sibling = get_close_matches(str(key), names, n=1) if part else []
    near = spelled((*part, sibling[0])) if sibling else nearest(root, spelled(place), str(key))
    if near:
        remedy = f"Did you mean {near}?"
    elif part:
        remedy = f"{spelled(tuple(part))} has the settings {', '.join(names)}."
    else:
        remedy = "Add --help to the command to see every setting."
    return ConfigError(f"{where}: unknown setting {spelled(place)!r}", remedy=remedy)


def merge(below: Tree, above: Tree) -> Tree:
    """`below`, with everything that `above` says instead; parts are merged, lists are replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = merge(old, value)
        merged[key] = value
    return merged
