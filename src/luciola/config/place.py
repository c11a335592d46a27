"""Places in a recipe: `("lora", "r")`, `("data", 0, "weight")`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Place = tuple[str | int, ...]


def spelled(place: Place) -> str:
    """A place as a person writes it: `lora.r`, `data[0].weight`."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in place]
    return "".join(steps).removeprefix(".")


def value_at(tree: Any, place: Place) -> Any:
    """What a tree of mappings and lists holds at a place; None where it does not reach that far."""
    for step in place:
        if isinstance(step, int):
            is_there = isinstance(tree, Sequence) and step < len(tree)
            tree = tree[step] if is_there else None
        else:
            tree = tree.get(step) if isinstance(tree, Mapping) else None
    return tree
