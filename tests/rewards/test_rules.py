"""Rules over the text: lengths, patterns, words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from luciola.errors import ConfigError
from luciola.rewards.rules import LengthPart, PatternPart, lexicon
from luciola.types import Answered

Make = Callable[..., list[Answered]]


@pytest.mark.parametrize(
    ("text", "lengths", "expected"),
    [
        ("2-4", [0, 1, 2, 4, 6, 8, 20], [0, 0.5, 1, 1, 0.5, 0, 0]),
        ("2-", [1, 2, 500], [0.5, 1, 1]),
        ("-4", [0, 4, 5], [1, 1, 0.75]),
        ("0-0", [0, 1], [1, 0]),
    ],
)
def test_a_length_within_the_range_is_1_and_falls_in_a_line(
    text: str, lengths: list[int], expected: list[float], answered: Make
) -> None:
    batch = answered(*["word " * number for number in lengths])
    assert LengthPart.from_text(text).raw(batch) == pytest.approx(expected)


def test_lengths_are_counted_in_words_characters_or_tokens(answered: Make) -> None:
    """The text has two words, six characters, and three tokens with the end token."""
    batch = answered("ab cde")
    for unit, length in ((" words", 2), (" characters", 6), ("tokens", 3)):
        exactly = LengthPart.from_text(f"{length}-{length}{unit}")
        assert exactly.raw(batch) == [1.0]
        assert LengthPart.from_text(f"{length + 1}-{unit}").raw(batch)[0] < 1


@pytest.mark.parametrize("text", ["", "-", "20", "a-b", "3-5 lines", "3--5"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is no range\n.*length:20-60"):
        LengthPart.from_text(text)


def test_a_range_the_wrong_way_round_is_put_right() -> None:
    with pytest.raises(ConfigError, match=r"begins above its end\n.*length:20-60\."):
        LengthPart.from_text("60-20")


def test_a_pattern_is_looked_for_anywhere(answered: Make) -> None:
    batch = answered("the answer is 42", "none")
    assert PatternPart.from_text(r"\d+$").raw(batch) == [1.0, 0.0]


def test_a_damaged_pattern_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"regex:\( is no regular expression \(missing \)"):
        PatternPart.from_text("(")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a wonderful film", 1 / 2),
        ("Wonderful, brilliant, superb!", 3 / 4),
        ("a terrible, wonderful film", 0),
        ("not a wonderful film", -1 / 2),
        ("I don't think it wonderful", -1 / 2),
        ("I don’t hate it", 1 / 2),
        ("no. A wonderful film", 1 / 2),
        ("not the sort of film that is wonderful", 1 / 2),
        ("a film", 0),
        ("", 0),
    ],
)
def test_words_weigh_and_negations_turn_them_round(
    text: str, expected: float, answered: Make
) -> None:
    assert lexicon().raw(answered(text)) == pytest.approx([expected])


def test_a_word_list_of_ones_own_is_read(tmp_path: Path, answered: Make) -> None:
    file = tmp_path / "words.txt"
    file.write_text("# polite\nplease Danke 1\n\nrude -3 # a remark\n")
    assert lexicon(file).raw(answered("please", "danke, rude", "great")) == [0.5, -0.4, 0.0]


@pytest.mark.parametrize("line", ["good", "1", "good 1 more", "good nan"])
def test_a_line_without_words_or_value_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text(f"fine 1\n{line}\n")
    with pytest.raises(ConfigError, match=r"words\.txt:2: .* does not end with a value"):
        lexicon(file)


def test_a_missing_word_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.txt cannot be read"):
        lexicon(tmp_path / "absent.txt")
