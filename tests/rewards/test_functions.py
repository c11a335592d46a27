"""A person's function is called with what its parameters name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import ConfigError, RewardError
from luciola.plugins import load_object
from luciola.rewards.functions import CONCURRENT, FunctionPart, is_asynchronous
from luciola.types import Answered, Message

Make = Callable[..., list[Answered]]


def scores(function: Any, answered: list[Answered]) -> Any:
    return FunctionPart("mine", function).raw(answered)


def test_plural_names_are_lists_of_all_answers(answered: Make) -> None:
    def reward(prompts: Any, answers: Any, samples: Any, answered: Any, metadata: Any) -> Any:
        assert [one.answer for one in answered] == answers
        assert samples == [p + a for p, a in zip(prompts, answers, strict=True)]
        assert [type(row) for row in metadata] == [dict, dict]
        return [len(answer) for answer in answers]

    assert scores(reward, answered("ab", "c")) == [2, 1]


def test_singular_names_are_of_one_answer(answered: Make) -> None:
    def reward(answer: Any, sample: Any, prompt: Any, metadata: Any, messages: Any) -> Any:
        assert (sample, messages, metadata) == (prompt + answer, (), {"label": "x"})
        return len(answer)

    assert scores(reward, answered("ab", "c", label="x")) == [2, 1]


def test_columns_of_the_rows_are_parameters_too(answered: Make) -> None:
    batch = answered("yes", "no", label="no")
    assert scores(lambda answer, label: answer == label, batch) == [False, True]
    pairs = scores(lambda answers, label: list(zip(answers, label, strict=True)), batch)
    assert pairs == [("yes", "no"), ("no", "no")]


def test_a_column_that_is_not_there_says_what_is(answered: Make) -> None:
    with pytest.raises(
        RewardError, match=r"asks for 'labl', .* row of prompt 'Say it\.'"
    ) as caught:
        scores(lambda answer, labl: 1.0, answered("yes", label="no"))
    assert "Did you mean label?" in str(caught.value)


def test_a_conversation_is_given_whole() -> None:
    turns = (Message("system", "Be kind."), Message("user", "Hi"))
    one = Answered("Hi", "Hello", turns)
    assert scores(lambda answers, messages: [len(m) for m in messages], [one]) == [2]


def test_names_of_other_libraries_mean_the_answers(answered: Make) -> None:
    assert scores(lambda outputs: [len(o) for o in outputs], answered("ab")) == [2]
    rest = scores(lambda completions, **rest: [*completions, *sorted(rest)], answered("ab"))
    assert rest == ["ab", "answers", "metadata", "prompts", "samples"]


def test_defaults_that_nothing_is_known_for_stay(answered: Make) -> None:
    def reward(answers: list[str], scale: float = 3.0) -> list[float]:
        return [scale * len(answer) for answer in answers]

    assert scores(reward, answered("ab", scale=100)) == [6.0]


def test_an_object_and_a_method_can_be_called_too(answered: Make) -> None:
    class Judge:
        def __call__(self, answers: list[str]) -> list[int]:
            return [len(answer) for answer in answers]

        async def later(self, answer: str) -> int:
            return len(answer)

    assert scores(Judge(), answered("ab")) == [2]
    assert scores(Judge().later, answered("ab")) == [2]


@pytest.mark.parametrize(
    ("function", "seen"),
    [
        (lambda: 1.0, r"cannot see the answers by its parameters \(none\)"),
        (lambda answrs: 1.0, r"by its parameters \(answrs\)\n.*Did you mean answers\?"),
        (lambda label: 1.0, r"cannot see the answers by its parameters \(label\)"),
        (lambda prompts, answer: 1.0, "asks for answer, of one answer, and for prompts, of all"),
        (lambda answers, /: 1.0, "takes 'answers' by position only"),
        (dict.fromkeys, "by position only"),
    ],
)
def test_parameters_that_cannot_be_filled_are_refused_at_once(function: Any, seen: str) -> None:
    with pytest.raises(ConfigError, match=f"^the reward mine .*{seen}"):
        FunctionPart("mine", function)


def test_the_sample_and_the_line_of_a_failure_are_named(tmp_path: Path, answered: Make) -> None:
    (tmp_path / "mine.py").write_text(
        "def one(answer):\n    return 1 / (len(answer) - 3)\n\n\n"
        "def all(answers):\n    return [1 / (len(answer) - 3) for answer in answers]\n\n\n"
        "async def later(answer):\n    return 1 / (len(answer) - 3)\n"
    )
    batch = answered("four", "abc")
    for name, line, about in (
        ("one", 2, "on prompt 'Say it.', answer 'abc'"),
        ("all", 6, "on 2 answers, the first prompt 'Say it.', answer 'four'"),
        ("later", 10, "on prompt 'Say it.', answer 'abc'"),
    ):
        with pytest.raises(RewardError) as caught:
            scores(load_object(f"mine.py:{name}"), batch)
        seen = f"mine raised ZeroDivisionError: division by zero at mine.py:{line}, {about}"
        assert seen in caught.value.message
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_ctrl_c_in_a_reward_stays_ctrl_c(answered: Make) -> None:
    def reward(answers: list[str]) -> list[float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scores(reward, answered("a"))


def test_an_asynchronous_function_is_awaited(answered: Make) -> None:
    async def reward(prompts: list[str], answers: list[str]) -> list[int]:
        await asyncio.sleep(0)
        return [len(answer) for answer in answers]

    assert is_asynchronous(reward)
    assert scores(reward, answered("ab", "c")) == [2, 1]
    assert scores(lambda answers: reward([], answers), answered("ab")) == [2]


def test_single_answers_are_awaited_together_up_to_a_limit(answered: Make) -> None:
    now = most = 0

    async def reward(answer: str) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.005 if answer == "0" else 0.001)  # the first ends last
        now -= 1
        return int(answer)

    numbers = range(CONCURRENT + 8)
    assert scores(reward, answered(*map(str, numbers))) == list(numbers)
    assert most == CONCURRENT


def test_all_calls_share_one_event_loop(answered: Make) -> None:
    loops = []

    async def reward(answer: str) -> float:
        loops.append(asyncio.get_running_loop())
        return 0.0

    for _ in range(2):
        scores(reward, answered("a", "b"))
    assert len(set(loops)) == 1


def test_a_running_event_loop_does_not_hinder(answered: Make) -> None:
    async def reward(answer: str) -> int:
        return len(answer)

    async def notebook() -> Any:
        return scores(reward, answered("ab"))

    assert asyncio.run(notebook()) == [2]


def test_after_a_failure_the_calls_under_way_are_cancelled(answered: Make) -> None:
    cancelled = threading.Event()

    async def reward(answer: str) -> float:
        if answer == "bad":
            await asyncio.sleep(0)
            raise ValueError("no")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return 0.0

    with pytest.raises(RewardError, match=r"raised ValueError: no .*answer 'bad'"):
        scores(reward, answered("slow", "bad"))
    assert cancelled.is_set()
