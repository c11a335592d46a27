"""Vectors are computed once per different text, and kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from luciola.errors import MissingExtraError
from luciola.sql.dail.embedding import embed


class Lengths:
    """An encoder of one number, which remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: list[str]) -> NDArray[np.float32]:
        self.asked.append(texts)
        return np.array([[len(text)] for text in texts], dtype=np.float32)


def test_equal_texts_are_encoded_once() -> None:
    encode = Lengths()
    assert embed(["ab", "c", "ab"], "any", encode=encode)[:, 0].tolist() == [2, 1, 2]
    assert encode.asked == [["ab", "c"]]


def test_kept_vectors_are_read_again_for_the_same_model_and_texts(tmp_path: Path) -> None:
    encode = Lengths()
    first = embed(["a", "bc"], "one", folder=tmp_path / "kept", encode=encode)
    again = embed(["a", "bc"], "one", folder=tmp_path / "kept", encode=encode)
    assert first.tolist() == again.tolist() == [[1], [2]]
    assert len(encode.asked) == 1
    embed(["a", "bc"], "other", folder=tmp_path / "kept", encode=encode)
    embed(["ab", "c"], "one", folder=tmp_path / "kept", encode=encode)
    assert len(encode.asked) == 3


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is not None, reason="it is installed here"
)
def test_without_the_package_the_extra_is_named() -> None:
    with pytest.raises(MissingExtraError, match=r"luciola\[similarity\]"):
        embed(["a"], "minilm")
