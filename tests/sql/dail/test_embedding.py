"""Vectors are computed once per different text, and kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from luciola.cli.main import main
from luciola.errors import MissingExtraError, StorageError
from luciola.sql.dail.embedding import check_vectors_folder, embed


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


def test_damaged_vectors_are_computed_again(tmp_path: Path) -> None:
    encode = Lengths()
    embed(["a", "bc"], "one", folder=tmp_path, encode=encode)
    (file,) = tmp_path.iterdir()
    for damaged in (file.read_bytes()[:50], b"", b"no vectors"):
        file.write_bytes(damaged)
        assert embed(["a", "bc"], "one", folder=tmp_path, encode=encode).tolist() == [[1], [2]]
    assert len(encode.asked) == 4
    check_vectors_folder(tmp_path)


def test_a_place_that_cannot_keep_vectors_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="cannot keep vectors"):
        embed(["a"], "one", folder=tmp_path / "file" / "kept", encode=Lengths())


@pytest.mark.parametrize(
    ("place", "said"),
    [("mine.txt", "is a file, not a folder"), (".", "is not empty and holds no vectors")],
)
def test_a_foreign_place_for_vectors_is_refused_before_the_work(
    place: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The questions are not even looked for."""
    Path("mine.txt").write_text("mine")
    words = ["--questions", "no.jsonl", "--out", "p.jsonl", "--embeddings", place]
    assert main(["sql", "prompts", *words]) == 2
    assert said in capsys.readouterr().err
    assert Path("mine.txt").read_text() == "mine"
