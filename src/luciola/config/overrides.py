"""`key=value` from the command line, as a tree.

Values are YAML, so that `lora.targets=[q_proj, v_proj]` is a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luciola.config.ranges import type_hints
from luciola.config.settings import bare, is_part
from luciola.config.shape import Tree, merge, unknown
from luciola.errors import ConfigError

COMMAND_LINE = "command line"


def parse_overrides(cls: type[Any], overrides: Sequence[str]) -> Tree:
    """The tree of `a.b=value` words; later words win.

    Raises: ConfigError for a word without `=`, an unknown key, or a value that is no YAML.
    """
    tree: Tree = {}
    for word in overrides:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ConfigError(
                f"{COMMAND_LINE}: {word!r} is not a setting", remedy="Settings are written lr=3e-4."
            )
        tree = merge(tree, _nested(cls, key.strip(), text))
    return tree


def _nested(cls: type[Any], key: str, text: str) -> Tree:
    hint: Any = cls
    names = key.split(".")
    for depth, name in enumerate(names):
        if not is_part(hint):
            before = ".".join(names[:depth])
            raise ConfigError(
                f"{COMMAND_LINE}: unknown setting {key!r}", remedy=f"{before} has no parts."
            )
        if name not in type_hints(hint):
            raise unknown(cls, hint, tuple(names[: depth + 1]), COMMAND_LINE)
        hint = type_hints(hint)[name]
    value = _value(hint, key, text)
    for name in reversed(names):
        value = {name: value}
    return value


def _value(hint: Any, key: str, text: str) -> Any:
    """Text settings take the words as they are, so that a system prompt may hold a colon."""
    import yaml

    if bare(hint) is str and text[:1] not in ("'", '"'):
        return _home(text)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(
            f"{COMMAND_LINE}: {key} has a value that is not valid YAML: {text!r}"
        ) from None
    return _home(value) if isinstance(value, str) else value


def _home(text: str) -> str:
    """The shell leaves `~` alone after an equals sign, and a newcomer means the home folder."""
    return str(Path(text).expanduser()) if text.startswith("~/") else text
