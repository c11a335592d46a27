"""Rewards that take long, that end the program, and that are interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import RewardError
from luciola.rewards import waiting
from luciola.rewards.building import build_reward
from luciola.training.interrupt import interruptible
from luciola.types import Answered

ANSWERED = [Answered("6 x 7?", "42", token_count=2), Answered("1 + 1?", "2", token_count=2)]


def slow(answers: list[str]) -> list[float]:
    time.sleep(3)
    return [0.0 for _ in answers]


async def slow_judge(answers: list[str]) -> list[float]:
    await asyncio.sleep(3)
    return [0.0 for _ in answers]


@pytest.mark.parametrize("reward", [slow, slow_judge])
def test_a_reward_that_takes_too_long_ends_with_a_sentence(reward: Any) -> None:
    handler = signal.getsignal(signal.SIGALRM)
    began = time.monotonic()
    said = (
        rf"the reward {reward.__name__} did not give its scores within reward_timeout=0.1 seconds, "
        "for 2 answers"
    )
    with pytest.raises(RewardError, match=said) as error:
        build_reward(reward, timeout=0.1).score(ANSWERED)
    assert time.monotonic() - began < 2
    assert "run the same command again to go on" in str(error.value)
    assert signal.getsignal(signal.SIGALRM) == handler


def test_one_that_swallows_its_end_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once is not enough where everything is caught; a second `except` lies between two calls."""
    monkeypatch.setattr(waiting, "AGAIN_S", 0.05)

    def catches_once(answers: list[str]) -> list[float]:
        with contextlib.suppress(BaseException):
            time.sleep(5)
        time.sleep(5)
        return [0.0 for _ in answers]

    began = time.monotonic()
    with pytest.raises(RewardError, match="reward_timeout"):
        build_reward(catches_once, timeout=0.1).score(ANSWERED)
    assert time.monotonic() - began < 2


def test_a_reward_within_its_time_is_left_alone() -> None:
    before = signal.getitimer(signal.ITIMER_REAL)
    found = build_reward(lambda answers: [1.0 for _ in answers], timeout=5.0).score(ANSWERED)
    assert found.scores == [1.0, 1.0]
    assert signal.getitimer(signal.ITIMER_REAL) == pytest.approx(before, abs=1), "as it was"


def test_a_timeout_of_the_rewards_own_is_no_limit_of_ours() -> None:
    async def gives_up(answers: list[str]) -> list[float]:
        raise TimeoutError("the judge is busy")

    with pytest.raises(RewardError, match="raised TimeoutError: the judge is busy"):
        build_reward(gives_up).score(ANSWERED)


def test_it_is_said_which_reward_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Again and again, and not where it always takes that long."""
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.1)
    monkeypatch.setattr(waiting, "_longest", {})

    def lazy(answers: list[str]) -> list[float]:
        time.sleep(0.5)
        return [0.0 for _ in answers]

    reward = build_reward([lazy, "length:1-2"])
    with caplog.at_level(logging.WARNING):
        reward.score(ANSWERED)
    said = [text for text in caplog.messages if "waiting for the reward lazy" in text]
    assert len(said) == 2 and "for 2 answers" in said[0]
    assert not any("length" in text for text in caplog.messages)
    assert not waiting.is_overdue()
    caplog.clear()
    reward.score(ANSWERED)
    assert not caplog.messages


def test_ctrl_c_ends_at_once_what_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before that it waits for the end of the step."""
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.2)
    monkeypatch.setattr(waiting, "_longest", {})
    reward = build_reward(slow)
    began = time.monotonic()
    timer = threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with (
        interruptible(lambda text: None, waiting.is_overdue) as interrupt,
        pytest.raises(KeyboardInterrupt),
    ):
        reward.score(ANSWERED)
    assert time.monotonic() - began < 2 and not interrupt.asked
    with interruptible(lambda text: None, waiting.is_overdue) as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked


@pytest.mark.parametrize("ends", ["sys.exit(3)", "raise SystemExit('done')", "exit()"])
def test_a_reward_that_ends_the_program_is_named(ends: str) -> None:
    Path("mine.py").write_text(f"import sys\ndef score(answers):\n    {ends}\n")
    with pytest.raises(
        RewardError, match=r"the reward score ended the program \(SystemExit.* at .*mine.py:3"
    ):
        build_reward(f"{Path.cwd()}/mine.py:score").score(ANSWERED)


def test_the_line_is_named_also_of_an_object() -> None:
    Path("judge.py").write_text(
        "class Judge:\n    def score(self, answered):\n        return 1 / 0\n"
    )
    with pytest.raises(RewardError, match=r"raised ZeroDivisionError: .* at .*judge.py:3"):
        build_reward(f"{Path.cwd()}/judge.py:Judge").score(ANSWERED)
