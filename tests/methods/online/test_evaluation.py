"""What a metric may give, and what is said where it gives something else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from luciola.errors import ConfigError
from luciola.methods.online.evaluation import metric_columns

TEXTS = ["a", "bb"]


def columns(given: Any) -> dict[str, list[float]]:
    def judge(outputs: Sequence[str]) -> Any:
        return given() if callable(given) else given

    return metric_columns(judge, "judge", TEXTS, TEXTS, TEXTS)


@pytest.mark.parametrize(
    "given",
    [
        [1, 2],
        (1.0, 2.0),
        np.array([1.0, 2.0]),
        torch.tensor([1, 2]),
        [np.float32(1), torch.tensor(2.0)],
    ],
)
def test_numbers_of_every_kind_are_taken(given: Any) -> None:
    assert columns(given) == {"judge": [1.0, 2.0]}
    assert columns({"other": given}) == {"other": [1.0, 2.0]}


def test_what_is_not_known_of_an_answer_may_be_nan() -> None:
    assert math.isnan(columns([math.nan, 1.0])["judge"][0])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "the metric judge gave NoneType None, not a list of numbers"),
        (0.5, "the metric judge gave float 0.5, not a list of numbers"),
        ("12", "gave str '12', not a list of numbers"),
        ({"n": 1.0}, "the metric n gave float 1.0, not a list"),
        ([1.0], "the metric judge gave 1 values for 2 answers"),
        (["1", "2"], "gave str '1' for answer 1, which is no number"),
        ([1.0, None], "gave NoneType None for answer 2, which is no number"),
        (lambda: 1 / 0, r"the metric judge raised ZeroDivisionError: division by zero at .*py:\d+"),
        (lambda: exit(), "the metric judge raised SystemExit"),
    ],
)
def test_anything_else_is_one_sentence(given: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        columns(given)
