"""How a reward is written in a recipe: `[NAME=]KIND[:ARGUMENT][@WEIGHT]`.

    my_rewards.py:polite            a Python function, or package.module:name
    model:runs/reward@0.5           half of a reward model's score
    short=length:20-60@-1           called `short` in the log, as a penalty
    https://judge.example/score     a server

The weight is what stands behind the last @, where that is a number. A pattern or address that
itself ends so needs its weight written: `regex:me@2@1`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite

from luciola.errors import ConfigError

KINDS = {
    "model": "FOLDER of a trained reward model",
    "classifier": "FOLDER-OR-HUB-ID[#LABEL] of a text classifier",
    "length": "MIN-MAX [words|characters|tokens]",
    "regex": "PATTERN",
    "lexicon": "[FILE of words and values]",
    "http": "URL that scores",
    "https": "URL that scores",
    "person": "[FILE that keeps the ratings]",
}
"""The kinds besides Python functions, and their arguments."""
WITHOUT_ARGUMENT = ("lexicon", "person")
FUNCTION = "function"
NAMED = re.compile(r"([A-Za-z_]\w*)=(.+)", re.DOTALL)
WEIGHTED = re.compile(r"(.+)@([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)", re.DOTALL)


@dataclass(frozen=True)
class Spec:
    """One component as written.

    Args:
        name: the given one, or "" for one made of the kind.
        kind: one of KINDS, or FUNCTION.
        argument: the rest; of a function `FILE.py:NAME` or `MODULE:NAME`, of a server its address.
    """

    kind: str
    argument: str
    weight: float = 1.0
    name: str = ""


def parse(text: str) -> Spec:
    """Raises: ConfigError for an unknown kind, a missing argument or an impossible weight."""
    rest, name, weight = text.strip(), "", 1.0
    if match := NAMED.fullmatch(rest):
        name, rest = match[1], match[2].strip()
    if match := WEIGHTED.fullmatch(rest):
        rest, weight = match[1].strip(), float(match[2])
    if not isfinite(weight):
        raise ConfigError(f"reward: the weight of {text!r} is no finite number")
    kind, _, argument = rest.partition(":")
    if kind in ("http", "https"):
        address = argument if argument.startswith(("http://", "https://")) else rest
        return Spec("http", address, weight, name)
    if kind in KINDS:
        if not argument and kind not in WITHOUT_ARGUMENT:
            raise ConfigError(
                f"reward: {text!r} lacks what stands behind {kind}:",
                remedy=f"Write {kind}:{KINDS[kind]}.",
            )
        return Spec(kind, argument, weight, name)
    if not argument or not _is_place(kind):
        raise _unknown(text, kind)
    return Spec(FUNCTION, rest, weight, name)


def _is_place(text: str) -> bool:
    """True for a Python file or a module's dotted name, unless it nearly is a kind."""
    is_module = all(part.isidentifier() for part in text.split("."))
    is_kind = "." not in text and get_close_matches(text, KINDS, n=1, cutoff=0.8)
    return text.endswith(".py") or (is_module and not is_kind)


def _unknown(text: str, kind: str) -> ConfigError:
    near = get_close_matches(kind, KINDS, n=1)
    meant = f"Did you mean {near[0]}:{KINDS[near[0]]}? " if near else ""
    listed = ", ".join(name for name in KINDS if name != "https")
    return ConfigError(
        f"reward: {text!r} is no reward",
        remedy=f"{meant}Write FILE.py:FUNCTION, MODULE:FUNCTION, or a kind: {listed}.",
    )
