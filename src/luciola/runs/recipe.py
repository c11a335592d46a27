"""What a run's recipe says about the run: its name, and whether another recipe is the same run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Any

Recipe = Mapping[str, Any]
FREE = (
    "out",
    "track",
    "keep",
    "check_pairs",
    "max_failing_pairs",
    "pair_timeout",
    "reward_timeout",
    "max_cut",
)
"""Settings that may differ without making another run; the examples are compared separately."""


def run_name(method: str, model: str, data: str, recipe: Recipe) -> str:
    """A readable name that follows from the recipe: `sft-smollm2-135m-chats-3f9a`.

    Args:
        model: hub id, path or short name; its last part is used.
        data: the same for the training data.
        recipe: two recipes that differ get names that differ, but for 1 pair in 65,536.
    """
    words = [method, _slug(PurePath(model).name), _slug(PurePath(data).stem)]
    return "-".join([*(word for word in words if word), digest(recipe)])


def digest(recipe: Recipe) -> str:
    """Four hexadecimal digits of the recipe."""
    kept = {key: value for key, value in recipe.items() if key not in FREE}
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:4]


def difference(one: Recipe, other: Recipe, free: Collection[str] = FREE) -> list[str]:
    """Dotted names of the settings in which two recipes differ, lists counting as one setting."""
    return [key for key in _differing(_plain(one), _plain(other), "") if key not in free]


def _differing(one: Recipe, other: Recipe, prefix: str) -> Iterator[str]:
    for key in sorted({*one, *other}):
        left, right = one.get(key), other.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from _differing(left, right, f"{prefix}{key}.")
        elif left != right:
            yield prefix + key


def _plain(recipe: Recipe) -> Recipe:
    """As YAML and JSON give it back: tuples are lists."""
    plain: Recipe = json.loads(json.dumps(recipe, default=str))
    return plain


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:40]
