"""A train_args file while it is translated: what was given, what it becomes, what is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from luciola.errors import ConfigError


@dataclass
class Page:
    """What is filled in while the keys are gone through.

    Args:
        values: of the file, checked for their kind.
        where: what an error calls the file.
        processes: that train together.
        settings: ours, so far.
        notices: what a person is told, so far.
    """

    values: Mapping[str, Any]
    where: str
    processes: int
    settings: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def get(self, key: str, default: Any) -> Any:
        """The value of a key, or what holds where the file is silent."""
        return self.values.get(key, default)

    def choice(self, key: str, default: str, allowed: tuple[str, ...]) -> str:
        """A value that must be one of a few. Raises: ConfigError with the one that was meant."""
        value = str(self.get(key, default))
        if value in allowed:
            return value
        near = get_close_matches(value, allowed, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        remedy = f"{meant}It is {', '.join(allowed)}."
        raise self.error(f"{key}={value!r} is not known here", remedy)

    def error(self, message: str, remedy: str | None = None) -> ConfigError:
        """The error for a value of this file."""
        return ConfigError(f"{self.where}: {message}", remedy=remedy)
