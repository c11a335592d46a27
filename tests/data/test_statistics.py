"""Figures of a data set."""

from __future__ import annotations

import numpy as np
import pytest

from luciola.data.statistics import statistics
from luciola.errors import DataError
from luciola.types import Tokens


def sample(length: int, trained: int, prefix: int = 0) -> Tokens:
    """The last `trained` tokens are trained."""
    mask = np.arange(length) >= length - trained
    return Tokens(np.arange(length, dtype=np.int32), mask, prefix=prefix)


def test_figures_are_counted_by_hand() -> None:
    """Cut at 6: 4 + 6 + 6 tokens; of the last sample's two trained tokens (8, 9) none is left."""
    found = statistics([sample(4, 2), sample(7, 3), sample(10, 2)], max_length=6)
    assert (found.examples, found.tokens, found.trained) == (3, 16, 2 + 2 + 0)
    assert (found.shortest, found.median, found.longest) == (4, 7, 10)
    assert (found.truncated, found.untrained) == (2, 1)


def test_without_a_limit_nothing_is_cut() -> None:
    found = statistics([sample(4, 2), sample(10, 2)])
    assert (found.tokens, found.truncated, found.untrained) == (14, 0, 0)
    assert "cut" not in found.text()


def test_shared_prefixes_are_counted_from_their_second_time_on() -> None:
    found = statistics([sample(8, 1, prefix=5) for _ in range(3)])
    assert found.shared == 10
    assert "10 tokens less (42 %)" in found.text()


def test_the_text_says_what_is_lost() -> None:
    text = statistics([sample(4, 2), sample(10, 2)], max_length=6).text()
    assert "cut at 6 tokens: 1 example" in text
    assert "no trained token left: 1 example" in text
    assert "2 of them trained (20 %)" in text


def test_no_examples_is_an_error() -> None:
    with pytest.raises(DataError, match="no examples"):
        statistics([])
