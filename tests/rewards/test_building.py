"""From a recipe's setting, or a caller's objects, to the reward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import ConfigError
from luciola.rewards.building import build_reward
from luciola.types import Answered, Scored

Make = Callable[..., list[Answered]]


def test_a_text_a_function_and_several_of_both_are_rewards(tmp_path: Path, answered: Make) -> None:
    (tmp_path / "mine.py").write_text("def polite(answers):\n    return [1.0] * len(answers)\n")
    batch = answered("a wonderful film")
    assert build_reward("mine.py:polite@3").score(batch).scores == [3.0]
    assert build_reward(lambda answers: [2.0]).score(batch).scores == [2.0]
    both = build_reward(("mine.py:polite", "lexicon@2", lambda answer: 0.25))
    assert both.score(batch).parts == {"polite": [1.0], "lexicon": [0.5], "reward": [0.25]}
    assert both.score(batch).scores == [2.25]


def test_files_are_found_beside_the_recipe(tmp_path: Path, answered: Make) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "mine.py").write_text("def polite(answer):\n    return 7\n")
    (folder / "words.txt").write_text("ahoy 1\n")
    reward = build_reward(["mine.py:polite", "lexicon:words.txt"], relative_to=folder)
    assert reward.score(answered("ahoy")).parts == {"polite": [7.0], "lexicon": [0.5]}


def test_equal_names_are_numbered_and_given_ones_kept() -> None:
    reward = build_reward(
        ["length:1-2", "length:3-4", "long=length:9-", "length:5-6", "http://judge.example/score"]
    )
    names = [component.name for component in reward.components]
    assert names == ["length", "length_2", "long", "length_3", "judge.example"]
    with pytest.raises(ConfigError, match="two components are called 'a'"):
        build_reward(["a=length:1-2", "a=lexicon"])


class Judge:
    """A class that makes a `Reward`."""

    def score(self, answered: Sequence[Answered]) -> Scored:
        return Scored([4.0] * len(answered))


class Needy:
    def __init__(self, path: str) -> None: ...


@pytest.mark.parametrize("thing", [Judge, Judge()])
def test_an_object_with_score_and_its_class_are_rewards(thing: Any, answered: Make) -> None:
    assert build_reward(thing).score(answered("x")).parts == {"Judge": [4.0]}


@pytest.mark.parametrize(
    ("thing", "seen"),
    [
        ([], "reward: must not be empty"),
        (3, "reward: int is 'int', neither a function nor"),
        (Needy, "the class Needy cannot be made without arguments"),
        ("http:nowhere", "'http:nowhere' is no address of a server"),
    ],
)
def test_what_cannot_score_is_refused(thing: Any, seen: str) -> None:
    with pytest.raises(ConfigError, match=seen):
        build_reward(thing)
