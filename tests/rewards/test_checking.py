"""What is no score is an error that names the component and the sample."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from luciola.errors import ConfigError, RewardError
from luciola.rewards.checking import checked, failed, source_file
from luciola.types import Answered

Make = Callable[..., list[Answered]]


@pytest.mark.parametrize(
    "raw",
    [
        [1, 0.5],
        (True, Fraction(1, 2)),
        np.array([1, 0.5], np.float32),
        [np.float64(1), np.float16(0.5)],
        torch.tensor([1, 0.5], dtype=torch.bfloat16, requires_grad=True),
        [torch.tensor(1), torch.tensor(0.5)],
    ],
    ids=["list", "tuple", "array", "numpy scalars", "tensor", "tensor scalars"],
)
def test_whatever_is_a_number_becomes_a_float(raw: object, answered: Make) -> None:
    scores = checked("r", answered("a", "b"), raw)
    assert scores == [1.0, 0.5]
    assert [type(score) for score in scores] == [float, float]


def test_scores_per_token_stay_apart(answered: Make) -> None:
    raw = [[1, 2, 3], torch.tensor([4.0, 5.0])]
    assert checked("r", answered("two words", "one"), raw) == [[1.0, 2.0, 3.0], [4.0, 5.0]]


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        (None, r"returned nothing \(None\) for 2 answers"),
        (0.5, r"returned float 0\.5 for 2 answers, not a list"),
        ("12", "returned str '12'"),
        ({"a": 1, "b": 2}, "returned dict"),
        (torch.tensor(0.5), "returned Tensor"),
        ([1.0], r"returned 1 scores for 2 answers; answer 2 is prompt 'Say it\.', answer 'b c'"),
        ([1, 2, 3], "returned 3 scores for 2 answers"),
        ([], "returned 0 scores for 2 answers; answer 1 is"),
        ([1, None], r"gave None for answer 2 of 2 \(prompt 'Say it\.', answer 'b c'\)"),
        ([1, "0.5"], r"gave str '0\.5' for answer 2 of 2"),
        ([1, {"score": 2}], "gave dict"),
        ([1, float("nan")], "gave nan for answer 2 of 2"),
        ([float("-inf"), 1], r"gave -inf for answer 1 of 2 \(prompt 'Say it\.', answer 'a'\)"),
        ([1, torch.tensor(float("nan"))], "gave nan for answer 2"),
        ([10**400, 1], "gave inf for answer 1"),
        ([1, [1, 2]], "gave a list of 2 scores for answer 2 of 2 .*, which has 3 tokens"),
        ([1, [1, 2, 3, 4]], "gave a list of 4 scores"),
        ([1, [0.1, float("nan"), 0]], "gave nan for token 2 'c', for answer 2 of 2"),
        ([1, [0.1, None, 0]], "gave None for token 2 'c', for answer 2 of 2"),
        ([1, [0.1, "x", 0]], "gave str 'x' for token 2"),
    ],
)
def test_what_is_no_score_names_component_and_sample(
    raw: object, seen: str, answered: Make
) -> None:
    with pytest.raises(RewardError, match=f"^the reward polite {seen}") as caught:
        checked("polite", answered("a", "b c"), raw)
    assert caught.value.remedy


def test_a_column_of_scores_is_not_taken_for_scores_per_token(answered: Make) -> None:
    with pytest.raises(RewardError, match="a list of 1 scores"):
        checked("r", answered("a", "b"), np.zeros((2, 1)))


def test_long_prompts_and_answers_are_shortened() -> None:
    long = Answered("p" * 500, "a" * 500 + "\n", token_count=1)
    with pytest.raises(RewardError) as caught:
        checked("r", [long], [None])
    assert len(caught.value.message) < 250
    assert "\n" not in caught.value.message


def test_an_error_without_words_is_named_by_its_type(answered: Make) -> None:
    error = failed("polite", AssertionError(), answered("a", "b"))
    assert error.message.startswith("the reward polite raised AssertionError, on 2 answers, the")


def test_an_error_of_ours_keeps_what_to_do(answered: Make) -> None:
    error = failed("polite", ConfigError("no such table", remedy="Make it."), answered("a"))
    assert isinstance(error, RewardError)
    assert error.message.endswith("failed on prompt 'Say it.', answer 'a': no such table")
    assert error.remedy == "Make it."


def test_the_file_of_functions_methods_and_callable_objects_is_found() -> None:
    class Judge:
        def __call__(self) -> None: ...
        def method(self) -> None: ...

    things: list[Any] = [checked, Judge.method, Judge().method, Judge()]
    assert [source_file(thing) for thing in things[1:]] == [__file__] * 3
    assert source_file(len) is None
