"""A name that a person gives to an object whose content cannot be compared, or should not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from luciola.errors import ConfigError


@dataclass(frozen=True)
class Named:
    """An object that counts as the same wherever it has the same name."""

    name: str
    thing: Any


def named(name: str, thing: Any) -> Any:
    """`thing` for a training call, compared with earlier runs by `name` instead of its content.

    `luciola.ppo(reward=luciola.named("judge v2", judge), ...)`; a changed object needs a new name.

    Raises: ConfigError for an empty name.
    """
    if not isinstance(name, str) or not name.strip():
        raise ConfigError("named: the name must be a text, such as named('judge v2', judge)")
    return Named(name.strip(), thing)


def unnamed(value: Any) -> Any:
    """What was named, also within a list; anything else as it is."""
    if isinstance(value, Named):
        return value.thing
    if isinstance(value, list | tuple) and any(isinstance(one, Named) for one in value):
        return [unnamed(one) for one in value]
    return value
