"""Words of names and questions."""

from __future__ import annotations

import random

import pytest

from luciola.specialist.augment.words import abbreviated, inflected_like, lemma, plural, split_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("OrderItem_ids", ("order", "item", "ids")),
        ("HTTPCode", ("http", "code")),
        ("line_2", ("line", "2")),
        ("stuid", ("stuid",)),
        ("größe", ("größe",)),
    ],
)
def test_a_name_is_cut_at_underscores_capitals_and_digits(name: str, words: tuple[str]) -> None:
    assert split_words(name) == words


@pytest.mark.parametrize("word", ["city", "box", "truck", "person", "staff", "class", "day"])
def test_the_lemma_of_a_plural_is_the_word(word: str) -> None:
    assert lemma(plural(word)) == word


@pytest.mark.parametrize(
    ("token", "new"), [("Cities", "Trucks"), ("city", "truck"), ("CITY", "TRUCK")]
)
def test_a_new_word_takes_number_and_capitals(token: str, new: str) -> None:
    assert inflected_like(token, "truck") == new


def test_an_abbreviation_is_shorter_and_begins_alike() -> None:
    short = {abbreviated("department", random.Random(seed)) for seed in range(40)}
    assert all(len(one) < 8 and one.startswith("d") for one in short)
    assert len(short) >= 3
    assert abbreviated("age", random.Random(0)) == "age"
