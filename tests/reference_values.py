"""Values that other programs computed, for tests to compare with: see reference/README.md.

Those of this checkout are always there. Where a folder `shared/goldens` lies beside the checkout,
the same tests read its files too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

OWN = Path(__file__).parent / "reference" / "values"
BESIDE = Path(__file__).parents[2] / "shared"


@dataclass(frozen=True)
class Source:
    """One folder of reference values; called with a name like "rl/ilql_decode", it reads a file."""

    folder: Path

    def __call__(self, name: str) -> Any:
        return numbers(json.loads(self.path(name).read_text(encoding="utf-8")))

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    @property
    def is_own(self) -> bool:
        return self.folder == OWN


def numbers(value: Any) -> Any:
    """The value with the strings "inf", "-inf" and "nan" made numbers."""
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    return float(value) if value in ("inf", "-inf", "nan") else value


def folders() -> dict[str, Path]:
    beside = BESIDE / "goldens"
    return {"own": OWN} | ({"beside": beside} if beside.is_dir() else {})


def sources() -> list[Any]:
    """The folders there are, as parameters of a test or fixture."""
    return [pytest.param(Source(folder), id=name) for name, folder in folders().items()]


def cases(name: str, key: str = "cases") -> list[Any]:
    """The cases of a file, one parameter each, of every folder."""
    return [
        pytest.param(case, id=f"{place}{index}")
        for place, folder in folders().items()
        for index, case in enumerate(Source(folder)(name)[key])
    ]
