"""Weighted sums: figures by component, scores per token, nothing waits for what can go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from luciola.errors import RewardError
from luciola.rewards.building import build_reward
from luciola.rewards.component import Component
from luciola.rewards.mixture import Mixture, weighted_sum
from luciola.types import Answered, Scored

Make = Callable[..., list[Answered]]


def test_components_add_up_by_weight_and_are_logged_before_it(answered: Make, fixed: Any) -> None:
    """2 · 1 - 0.5 · 4 = 0 and 2 · 3 - 0.5 · 2 = 5."""
    mixture = Mixture((Component("a", 2.0, fixed([1, 3])), Component("b", -0.5, fixed([4.0, 2.0]))))
    scored = mixture.score(answered("x", "y"))
    assert scored.scores == [0.0, 5.0]
    assert scored.parts == {"a": [1.0, 3.0], "b": [4.0, 2.0]}
    assert set(scored.seconds) == {"a", "b"}


def test_a_number_for_a_whole_answer_stands_at_its_last_token() -> None:
    """2 · (1, 2, 3) + 10 · 0.5 at the end = (2, 4, 11)."""
    assert weighted_sum([2.0, 10.0], [[1.0, 2.0, 3.0], 0.5], 3) == [2.0, 4.0, 11.0]
    assert weighted_sum([10.0, 2.0], [0.5, [1.0, 2.0, 3.0]], 3) == [2.0, 4.0, 11.0]
    assert weighted_sum([1.0, 1.0], [[1.0, 2.0], [3.0, 4.0]], 2) == [4.0, 6.0]


def test_the_part_of_a_reward_per_token_is_its_sum(answered: Make, fixed: Any) -> None:
    scored = Mixture((Component("a", 3.0, fixed([[1, 2, 4], 5])),)).score(answered("x y", "z"))
    assert scored.scores == [[3.0, 6.0, 12.0], 15.0]
    assert scored.parts == {"a": [7.0, 5.0]}


def test_a_reward_within_a_reward_shows_its_own_parts(answered: Make) -> None:
    class Sql:
        def score(self, answered: Sequence[Answered]) -> Scored:
            return Scored([1.0] * len(answered), {"runs": [0.5] * len(answered)})

    scored = build_reward([Sql(), "length:1-"]).score(answered("x", "y"))
    assert scored.scores == [2.0, 2.0]
    assert scored.parts == {"Sql": [1.0, 1.0], "Sql/runs": [0.5, 0.5], "length": [1.0, 1.0]}


def test_no_answers_ask_no_component(fixed: Any) -> None:
    scored = Mixture((Component("a", 1.0, fixed(None)),)).score([])
    assert (scored.scores, scored.parts) == ([], {"a": []})


def test_what_waits_runs_beside_what_computes(answered: Make) -> None:
    """Each waits until the other has begun: one after the other they would never end."""
    begun = {"async": threading.Event(), "plain": threading.Event()}

    async def waiting(answers: list[str]) -> list[float]:
        begun["async"].set()
        assert begun["plain"].wait(5)  # holds the loop up on purpose
        return [1.0]

    def plain(answers: list[str]) -> list[float]:
        assert threading.current_thread() is threading.main_thread()
        begun["plain"].set()
        assert begun["async"].wait(5)
        return [2.0]

    for order in ([plain, waiting], [waiting, plain]):
        for event in begun.values():
            event.clear()
        assert build_reward(order).score(answered("x")).scores == [3.0]


def test_what_computes_runs_one_after_the_other(answered: Make) -> None:
    log: list[str] = []

    def first(answers: list[str]) -> list[float]:
        log.append("first begins")
        time.sleep(0.01)
        log.append("first ends")
        return [0.0]

    def second(answers: list[str]) -> list[float]:
        log.append("second")
        return [0.0]

    build_reward([first, second]).score(answered("x"))
    assert log == ["first begins", "first ends", "second"]


def test_each_component_has_its_own_seconds(answered: Make) -> None:
    def slow(answers: list[str]) -> list[float]:
        time.sleep(0.03)
        return [0.0]

    seconds = build_reward([slow, "length:1-"]).score(answered("x")).seconds
    assert seconds["slow"] >= 0.03 > seconds["length"]


@pytest.mark.parametrize("waits", [False, True])
def test_an_error_names_its_component(waits: bool, answered: Make, fixed: Any) -> None:
    good = Component("good", 1.0, fixed([1.0]))
    mixture = Mixture((good, Component("bad", 1.0, fixed([None], waits))))
    with pytest.raises(RewardError, match=r"^the reward bad gave None for answer 1 of 1"):
        mixture.score(answered("x"))


def test_an_object_that_raises_is_named_with_the_sample(answered: Make) -> None:
    class Broken:
        def score(self, answered: Sequence[Answered]) -> Scored:
            raise ValueError("no table")

    with pytest.raises(
        RewardError,
        match=r"reward Broken raised ValueError: no table at .*test_mixture.py:\d+, on prompt",
    ):
        build_reward(Broken()).score(answered("x"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0], "the reward Judge/tone returned 1 scores"),
        ([1.0, float("nan")], "the reward Judge/tone gave nan"),
    ],
)
def test_the_parts_of_a_reward_are_looked_at_like_its_scores(
    values: list[float], message: str, answered: Make
) -> None:
    class Judge:
        def score(self, rows: Any) -> Scored:
            return Scored([1.0, 2.0], {"tone": values})

    with pytest.raises(RewardError, match=message):
        build_reward(Judge()).score(answered("a", "b"))
