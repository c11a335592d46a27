"""The trace of a run: what is kept of each token, and how a broken file is met."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import DataError
from luciola.runs.trace import COLUMNS, AnswerTrace, TraceFile
from synthetic_trace import grpo_answer, ppo_answer, ppo_run

HEAD: dict[str, Any] = {
    "iteration": 0,
    "step": 0,
    "prompt_index": 0,
    "method": "ppo",
    "prompt": "p",
    "finish": "end",
}
ODD = ["\n", " ", "</script>", "日本", "", "\u2028", "�"]


@pytest.fixture
def file(tmp_path: Path) -> TraceFile:
    """A trace that does not exist yet."""
    return TraceFile(tmp_path / "trace.jsonl")


def test_an_answer_comes_back_as_it_was_to_seven_digits(file: TraceFile) -> None:
    answer = ppo_answer(ODD, iteration=3, prompt_index=2)
    file.append(answer)
    (back,) = file.read()
    assert back.tokens == tuple(ODD)
    assert (back.iteration, back.step, back.prompt_index) == (3, 12, 2)
    assert (back.ids, back.clipped, back.prompt) == (answer.ids, answer.clipped, answer.prompt)
    numbers = set(COLUMNS) - {"tokens", "ids", "clipped", "whitened_rewards"}
    for name in numbers:
        assert getattr(back, name) == pytest.approx(getattr(answer, name), rel=1e-6, abs=0), name
    assert back.settings.keys() == answer.settings.keys()
    mean = answer.settings["advantage_mean"]
    assert back.settings["advantage_mean"] == pytest.approx(mean, rel=1e-6)


def test_columns_that_a_method_does_not_have_are_not_written(file: TraceFile) -> None:
    file.append(grpo_answer(["a", "b"]))
    row = json.loads(file.path.read_text())
    assert row["tokens"] == ["a", "b"]
    assert not row.keys() & {"values", "deltas", "returns", "whitened_rewards", "ids"}
    assert file.read()[0].values == ()


def test_an_empty_answer_is_an_answer(file: TraceFile) -> None:
    file.append(AnswerTrace(**HEAD, tokens=[]))
    assert file.read()[0].tokens == ()


def test_a_figure_that_is_no_number_is_null_in_the_file_and_nan_again(file: TraceFile) -> None:
    file.append(AnswerTrace(**HEAD, tokens=["a", "b"], logprobs=[-math.inf, -1.0]))
    assert '"logprobs": [null, -1.0]' in file.path.read_text()
    assert '"score": null' in file.path.read_text()
    (back,) = file.read()
    assert math.isnan(back.logprobs[0])
    assert math.isnan(back.score)


def test_half_of_a_surrogate_pair_can_be_written(file: TraceFile) -> None:
    file.append(AnswerTrace(**HEAD, tokens=["\ud83d"]))
    assert file.read()[0].tokens == ("?",)


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'values' has 1 entries for 2 tokens"):
        AnswerTrace(**HEAD, tokens=["a", "b"], values=[1.0])


def test_an_unknown_finish_is_refused() -> None:
    with pytest.raises(ValueError, match="got 'eos'"):
        AnswerTrace(**{**HEAD, "finish": "eos"}, tokens=[])


def test_forgetting_keeps_what_was_before_a_step_and_appending_goes_on(file: TraceFile) -> None:
    for answer in ppo_run(iterations=4, prompts=2):
        file.append(answer)
    with file.path.open("a") as writing:
        writing.write('{"iteration": 5, "step": 3, "tok')  # a kill
    file.forget_after(8)
    assert [answer.step for answer in file.read()] == [4, 4, 8, 8]
    file.append(ppo_answer(["x"], iteration=3))
    assert [answer.step for answer in file.read()] == [4, 4, 8, 8, 12]


def test_forgetting_in_a_run_without_a_trace_makes_no_file(file: TraceFile) -> None:
    file.forget_after(3)
    assert not file.path.exists()


def test_a_last_line_cut_off_by_a_kill_is_left_out(file: TraceFile) -> None:
    file.append(ppo_answer(["a"]))
    whole = file.path.read_bytes()
    file.path.write_bytes(whole + whole[:-30])
    assert len(file.read()) == 1


def test_a_last_line_without_its_line_break_counts(file: TraceFile) -> None:
    file.append(ppo_answer(["a"]))
    file.path.write_bytes(file.path.read_bytes().rstrip(b"\n"))
    assert len(file.read()) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{broken", "no JSON"),
        ("[1]", "an object was expected, not list"),
        ('{"iteration": 1}', "'step' is missing"),
        (json.dumps({**HEAD, "tokens": "abc"}), "'tokens' is 'abc', not a list"),
        (json.dumps({**HEAD, "tokens": ["a"], "values": ["x"]}), "'values' has 'x' at token 0"),
        (json.dumps({**HEAD, "tokens": ["a"], "values": [True]}), "'values' has True at token 0"),
        (json.dumps({**HEAD, "tokens": ["a"], "clipped": [1]}), "'clipped' has 1 at token 0"),
        (json.dumps({**HEAD, "step": "4", "tokens": []}), "'step' is '4'"),
        (json.dumps({**HEAD, "tokens": ["a"], "kls": [1, 2]}), "'kls' has 2 entries for 1 tokens"),
    ],
)
def test_a_broken_line_is_named(file: TraceFile, line: str, message: str) -> None:
    file.append(ppo_answer(["a"]))
    with file.path.open("a") as writing:
        writing.write(f"\n{line}\n")
    file.append(ppo_answer(["a"]))
    with pytest.raises(DataError, match=rf"trace\.jsonl:3: .*{message.replace('[', '.')}"):
        file.read()


def test_a_missing_file_is_an_error(file: TraceFile) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        file.read()
