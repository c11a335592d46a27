"""Warnings: each sign of trouble is said once, with its remedy, and health says nothing."""

from __future__ import annotations

import logging

import pytest

from luciola.errors import TrainingError
from luciola.methods.online.diagnosis import Watch, check_first_ratio, check_start

HEALTHY = {
    "objective/kl_signed": 0.5, "objective/kl": 0.5, "score/std": 1.0, "answers/cut_off": 0.1,
    "answers/ended": 0.9, "loss/value": 0.5, "policy/entropy": 2.0, "objective/entropy_token": 2.0,
    "answers/length": 20.0,
}  # fmt: skip
TROUBLE = {
    "never negative": {"objective/kl_signed": -1.5},
    "same score": {"score/std": 0.0},
    "raise max_new_tokens": {"answers/cut_off": 0.6, "answers/ended": 0.4},
    "ends by itself": {"answers/ended": 0.0, "answers/cut_off": 1.0},
    "please the reward with nonsense": {"objective/kl": 60.0},
    "far above the scores' variance": {"loss/value": 500.0},
    "same answers again": {"objective/entropy_token": 0.1},
    "from 20 to 50 tokens": {"answers/length": 50.0},
}


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts of the warnings, in order."""
    found: list[str] = []
    log = logging.getLogger("luciola.methods.online.diagnosis")
    monkeypatch.setattr(log, "warning", lambda text, *values: found.append(text % values))
    return found


def test_health_says_nothing(said: list[str]) -> None:
    watch = Watch(64)
    for iteration in range(3):
        watch.look(iteration, HEALTHY)
    assert said == []


@pytest.mark.parametrize("sign", TROUBLE)
def test_each_trouble_is_said_with_a_remedy(sign: str, said: list[str]) -> None:
    watch = Watch(64)
    watch.look(0, HEALTHY)
    watch.look(1, {**HEALTHY, **TROUBLE[sign]})
    assert len(said) == 1
    assert said[0].startswith("iteration 2: ")
    assert sign in said[0]
    assert "→" in said[0]


def test_a_warning_is_repeated_only_after_a_while(said: list[str]) -> None:
    watch = Watch(64)
    for iteration in range(60):
        watch.look(iteration, {**HEALTHY, "score/std": 0.0})
    assert [text.split(":")[0] for text in said] == ["iteration 1", "iteration 26", "iteration 51"]


def test_answers_that_never_ended_are_told_of_once(said: list[str]) -> None:
    watch = Watch(64)
    for iteration in range(60):
        watch.look(iteration, {**HEALTHY, "answers/ended": 0.0, "answers/cut_off": 1.0})
    (text,) = said
    assert text.startswith("iteration 1: no answer ends by itself: all are cut off at 64 tokens →")


def test_the_start_is_checked_more_loosely_in_bfloat16() -> None:
    check_start(0.01, rounded=True)
    with pytest.raises(TrainingError, match=r"0\.01 nats"):
        check_start(0.01, rounded=False)
    check_first_ratio(1.01, rounded=True, from_sampler=False)
    check_first_ratio(1.5, rounded=False, from_sampler=True)
    with pytest.raises(TrainingError, match=r"1\.01 instead of 1"):
        check_first_ratio(1.01, rounded=False, from_sampler=False)
