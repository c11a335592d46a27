"""Reference values of the original programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from reference_values import sources


class Fields(dict[str, Any]):
    """The fields of a case; `tensor` and `mask` make tensors of them."""

    def tensor(self, name: str, *, grad: bool = False) -> Tensor:
        return torch.tensor(self[name], dtype=torch.float32).requires_grad_(grad)

    def mask(self, name: str = "mask") -> Tensor:
        return torch.tensor(self[name]).bool()


@pytest.fixture(params=sources())
def golden(request: pytest.FixtureRequest) -> Callable[[str], Fields]:
    """Reads a file of reference values by name, from each folder of them."""
    return lambda name: Fields(request.param(f"rl/{name}"))


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
