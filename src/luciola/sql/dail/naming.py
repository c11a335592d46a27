"""Names of ways that a prompt can be made: the paper's, and those of the published code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from luciola.errors import ConfigError

T = TypeVar("T")


def by_name(what: str, name: str, published: Mapping[str, T], paper: Mapping[str, str]) -> T:
    """What a name means, in whatever case it is written.

    Args:
        what: the kind of thing, for the message.
        published: the things by the published code's names.
        paper: the paper's names, and the published code's for each.

    Raises: ConfigError naming all that there are.
    """
    known = paper.get(name.upper(), name.upper())
    if known not in published:
        raise unknown(what, name, [*paper, *published])
    return published[known]


def unknown(what: str, name: str, names: Iterable[str]) -> ConfigError:
    """The error for a name that there is not."""
    return ConfigError(
        f"there is no {what} {name!r}",
        remedy=f"Choose one of {', '.join(dict.fromkeys(names))}.",
    )
