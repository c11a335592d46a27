"""Inputs for the recorded reference values, and the files in which the values are kept.

The scripts `make_*.py` beside this file run the original programs on these inputs. They are for the
person who records anew; the tests only read the files. See README.md.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

VALUES = Path(__file__).parent / "values"
MASKS = {
    "prefix": [[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]],
    "offset": [[0, 0, 1, 1, 1, 0], [0, 0, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1]],
}
"""(3, 6) response tokens that begin in the first column, and in the third."""


def drawn(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    """Normal numbers rounded to three decimals, so that their JSON is short and exact."""
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(shape, generator=generator, dtype=torch.float64) * scale * 1000
    ).round() / 1000


def plain(value: Any, digits: int = 12) -> Any:
    """The value as JSON holds it: tensors to 7 digits, "inf" and "nan" as strings."""
    if isinstance(value, Tensor):
        return plain(value.tolist(), 7)
    if isinstance(value, dict):
        return {str(key): plain(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, digits) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist(), digits)
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else str(value)
    return value


def merged(old: Any, new: Any) -> Any:
    """`new` put into `old`: two programs may fill fields of the same case."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: merged(old.get(key), value) for key, value in new.items()}
    lists = isinstance(old, list) and isinstance(new, list) and len(old) == len(new)
    if lists and all(isinstance(item, dict) for item in [*old, *new]):
        return [merged(*pair) for pair in zip(old, new, strict=True)]
    return new


def recorded(name: str) -> Any:
    """What `values/NAME.json` holds; None where there is no such file."""
    path = VALUES / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def save_controllers(program: str, cases: list[dict[str, Any]], fixed: dict[str, float]) -> None:
    """The adaptive controllers of a program, beside those of the other one."""
    kept = (recorded("rl/kl_controller") or {}).get("adaptive", [])
    others = [case for case in kept if case["impl"] != program]
    ours = [{"impl": program} | case for case in cases]
    every = sorted([*others, *ours], key=lambda case: case["impl"])
    save("rl/kl_controller", {"adaptive": every, "fixed": fixed})


def save(name: str, value: Any) -> None:
    """Write `values/NAME.json`, keeping the fields that another program recorded."""
    path = VALUES / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    old = recorded(name)
    text = json.dumps(merged(old, plain(value)), ensure_ascii=False, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path.relative_to(VALUES.parent)}: {len(text)} bytes")
