"""A person is asked once for each answer, and can stop without losing a rating."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from luciola.errors import ConfigError, RatingStoppedError, StorageError
from luciola.rewards.building import build_reward
from luciola.rewards.person import PersonPart
from luciola.types import Answered

Make = Callable[..., list[Answered]]


class Typist:
    """Types these lines, then closes the terminal; keeps what it was shown."""

    def __init__(self, *lines: str) -> None:
        self.lines, self.shown = list(lines), []  # type: tuple[list[str], list[str]]

    def __call__(self, text: str) -> str:
        self.shown.append(text)
        if not self.lines:
            raise EOFError
        return self.lines.pop(0)


FILE = Path("kept/ratings.jsonl")


def test_ratings_are_asked_for_and_kept(answered: Make) -> None:
    typist = Typist("7", " 2 ")
    assert PersonPart(FILE, typist).raw(answered("good", "bad")) == [7.0, 2.0]
    assert "[1 of 2] Say it.\n  → good" in typist.shown[0]
    rows = [json.loads(line) for line in FILE.read_text().splitlines()]
    assert rows[0] == {"prompt": "Say it.", "answer": "good", "rating": 7.0, "score": 7.0}
    assert len(rows) == 2


def test_no_answer_is_asked_for_twice(answered: Make) -> None:
    """Not within a batch, not in the next, and not after a new start."""
    part = PersonPart(FILE, Typist("7", "2"))
    assert part.raw(answered("a", "b", "a")) == [7.0, 2.0, 7.0]
    assert part.raw(answered("b")) == [2.0]
    assert PersonPart(FILE, Typist()).raw(answered("b", "a")) == [2.0, 7.0]


def test_the_same_answer_to_another_prompt_is_asked_for(answered: Make) -> None:
    part = PersonPart(FILE, Typist("7", "2"))
    assert part.raw(answered("a") + answered("a", prompt="Other")) == [7.0, 2.0]


def test_a_skipped_answer_scores_the_mean_so_far_for_good(answered: Make) -> None:
    """5 before any rating; (8 + 4) / 2 = 6 later, and skips themselves do not count."""
    part = PersonPart(FILE, Typist("s", "8", "4", "S", "s", "9"))
    scores = part.raw(answered("a", "b", "c", "d", "e", "f"))
    assert scores == [5.0, 8.0, 4.0, 6.0, 6.0, 9.0]
    again = PersonPart(FILE, Typist("s"))
    assert again.raw(answered("d", "g")) == [6.0, 7.0]  # (8 + 4 + 9) / 3


def test_whoever_stops_loses_no_rating(answered: Make) -> None:
    with pytest.raises(RatingStoppedError, match=r"stopped; 1 ratings are kept in kept/ratings"):
        PersonPart(FILE, Typist("7", "q")).raw(answered("a", "b"))
    assert PersonPart(FILE, Typist("3")).raw(answered("a", "b")) == [7.0, 3.0]


def test_a_closed_terminal_stops_too(answered: Make) -> None:
    with pytest.raises(RatingStoppedError):
        PersonPart(FILE, Typist()).raw(answered("a"))


def test_other_keys_are_asked_again(answered: Make) -> None:
    typist = Typist("0", "10", "", "good", "5")
    assert PersonPart(FILE, typist).raw(answered("a")) == [5.0]
    assert len(typist.shown) == 5
    assert "1 (bad) to 9 (good), s to skip, q to stop" in typist.shown[-1]


def test_unusual_line_ends_in_an_answer_do_not_break_the_file(answered: Make) -> None:
    batch = answered("a\u2028b\nc\x85d")
    assert PersonPart(FILE, Typist("4")).raw(batch) == [4.0]
    assert PersonPart(FILE, Typist()).raw(batch) == [4.0]


def test_a_line_that_is_no_rating_is_named() -> None:
    Path("ratings.jsonl").write_text(
        '{"prompt": "p", "answer": "a", "rating": 3, "score": 3}\n{}\n'
    )
    with pytest.raises(ConfigError, match=r"ratings\.jsonl:2: '{}' is no rating"):
        PersonPart(ask=Typist())


def test_a_file_that_cannot_be_written_is_named(answered: Make) -> None:
    Path("kept").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"kept/ratings\.jsonl cannot be written"):
        PersonPart(FILE, Typist("3")).raw(answered("a"))


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(ConfigError, match="person needs a terminal"):
        build_reward("person")
