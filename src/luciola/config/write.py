"""Write a recipe in full: every setting as resolved, each with its help as a comment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from luciola.config.ranges import type_hints
from luciola.config.settings import Setting, describe, fields_in_order, is_part


def as_mapping(recipe: Any) -> dict[str, Any]:
    """The recipe as plain mappings, lists and scalars, as YAML and JSON know them."""
    return {key: _plain(value) for key, value in asdict(recipe).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def to_yaml(recipe: Any) -> str:
    """The complete recipe as YAML that `load` reads back to an equal recipe."""
    settings = {setting.name: setting for setting in describe(type(recipe))}
    return "\n".join(_lines(recipe, settings, "")) + "\n"


def _lines(part: Any, settings: dict[str, Setting], prefix: str) -> Iterator[str]:
    group: int | None = None
    indent = "  " * prefix.count(".")
    for field in fields_in_order(type(part)):
        name, value = prefix + field.name, getattr(part, field.name)
        if is_part(type_hints(type(part))[field.name]):
            yield f"{indent}{field.name}:"
            yield from _lines(value, settings, f"{name}.")
            continue
        setting = settings[name]
        if group not in (None, setting.group):
            yield ""
        group = setting.group
        yield f"{indent}# {setting.help}{setting.choices_text}"
        yield f"{indent}{field.name}: {_scalar(value)}"


def _scalar(value: Any) -> str:
    import yaml

    plain = (
        [_plain(asdict(item)) if hasattr(item, "__dataclass_fields__") else item for item in value]
        if isinstance(value, tuple)
        else value
    )
    text: str = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")
