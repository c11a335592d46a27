"""Reference values of the original programs, where they lie beside the checkout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

GOLDENS = Path(__file__).parents[2].parent / "shared" / "goldens" / "rl"


def numbers(value: Any) -> Any:
    """The value with the strings "inf", "-inf" and "nan" made numbers."""
    if isinstance(value, list):
        return [numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items()}
    return float(value) if value in ("inf", "-inf", "nan") else value


class Fields(dict[str, Any]):
    """The fields of a case; `tensor` and `mask` make tensors of them."""

    def tensor(self, name: str, *, grad: bool = False) -> Tensor:
        return torch.tensor(self[name], dtype=torch.float32).requires_grad_(grad)

    def mask(self, name: str = "mask") -> Tensor:
        return torch.tensor(self[name]).bool()


@pytest.fixture
def golden() -> Callable[[str], Fields]:
    """Reads a file of reference values by name."""

    def read(name: str) -> Fields:
        path = GOLDENS / f"{name}.json"
        if not path.exists():
            pytest.skip(f"the reference values {path.name} are not beside this checkout")
        return Fields(numbers(json.loads(path.read_text(encoding="utf-8"))))

    return read


@pytest.fixture
def cases(golden: Callable[[str], Fields]) -> Callable[[str], list[Fields]]:
    """Reads the cases of a file of reference values."""

    def read(name: str, key: str = "cases") -> list[Fields]:
        found = [Fields(case) for case in golden(name)[key]]
        assert found, f"{name} has no cases"
        return found

    return read


@pytest.fixture
def close() -> Callable[..., None]:
    """Asserts that numbers agree with reference values within their tolerance."""

    def check(actual: Any, expected: Any, *, atol: float = 1e-5) -> None:
        torch.testing.assert_close(
            torch.as_tensor(actual).detach().double(),
            torch.as_tensor(expected, dtype=torch.float64),
            rtol=1e-4,
            atol=atol,
            equal_nan=True,
        )

    return check
