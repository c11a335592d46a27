"""A server that stumbles, is slow, answers nonsense or dies, and what ends a run."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import EndpointError
from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling

ONE = Sampling()


def test_a_server_that_stays_too_busy_is_to_be_asked_for_less(server: Any, words: Any) -> None:
    """The key and the model's name are right, or it would not count requests."""
    server.reply = lambda body: (429, words.error("rate limit reached"))
    with pytest.raises(
        EndpointError, match=r"3 prompts in a row failed, .* 429: rate limit"
    ) as caught:
        Endpoint(server.url, "m", tries=2, concurrency=1).answer([*"abcde"], ONE)
    assert "a lower --concurrency" in str(caught.value.remedy)
    assert "--requests-per-minute" in str(caught.value.remedy)
    assert "log" not in str(caught.value.remedy)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_what_may_pass_is_tried_again(server: Any, words: Any, status: int) -> None:
    server.reply = lambda body: (
        (status, "<html>busy</html>") if len(server.bodies) < 3 else words.echo(body)
    )
    (answers,) = Endpoint(server.url, "m").answer(["a"], ONE)
    assert answers.texts == ("a 0",)
    assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "The key is read from OPENAI_API_KEY, which is not set."),
        (403, "The key is read from OPENAI_API_KEY, which is not set."),
        (404, "It knows no model 'm', or no such address."),
        (405, "Look into the server's log"),
    ],
)
def test_what_holds_for_all_prompts_ends_the_run_at_once(
    server: Any, words: Any, status: int, remedy: str
) -> None:
    server.reply = lambda body: (status, words.error("no"))
    with pytest.raises(EndpointError, match=f"answered {status}: no") as caught:
        Endpoint(server.url, "m", concurrency=1).answer(["a", "b", "c"], ONE)
    assert str(caught.value.remedy).startswith(remedy)
    assert len(server.bodies) == 1


def test_an_empty_account_is_no_busy_server(server: Any, words: Any) -> None:
    server.reply = lambda body: (429, words.error("pay", code="insufficient_quota"))
    with pytest.raises(EndpointError, match="answered 429: pay"):
        Endpoint(server.url, "m").answer(["a"], ONE)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "",
        "[]",
        "{}",
        '{"choices": []}',
        '{"choices": [7]}',
        "[" * 100_000,
        '{"choices": [{"message": {"content": null}}]}',
        '{"choices": [{"message": {}}]}',
        '{"choices": [{"message": {"content": "  "}}]}',
        '{"error": {"message": "overloaded"}}',
    ],
)
def test_nonsense_is_asked_for_again_and_then_an_error_of_the_prompt(
    server: Any, words: Any, text: str
) -> None:
    server.reply = lambda body: words.echo(body) if words.asked(body) == "a" else (200, text)
    good, bad = Endpoint(server.url, "m", tries=3, concurrency=1).answer(["a", "b"], ONE)
    assert good.texts == ("a 0",)
    assert bad.texts == ()
    assert bad.error.startswith(("answered with", "answered no JSON object: "))
    assert bad.error.endswith("(3 times)")
    assert len(server.bodies) == 4


@pytest.mark.parametrize(
    ("choice", "problem"),
    [
        ({"finish_reason": "content_filter"}, "held the answer back (content filter)"),
        ({"finish_reason": "length"}, "used all tokens of the answer before it said anything"),
    ],
)
def test_what_asking_again_would_not_change_is_asked_once(
    server: Any, words: Any, choice: dict[str, Any], problem: str
) -> None:
    server.reply = lambda body: (200, words.chat(None, **choice))
    with pytest.raises(EndpointError) as caught:
        Endpoint(server.url, "m").answer(["a"], ONE)
    assert problem in caught.value.message
    assert len(server.bodies) == 1


def test_a_problem_that_all_prompts_share_is_told_once_in_a_while(
    server: Any,
    words: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("luciola.sql.asking.exchange.LONGEST_PAUSE_S", 0.01)
    server.reply = lambda body: (500, "") if len(server.bodies) < 20 else words.echo(body)
    Endpoint(server.url, "m", tries=20).answer(["a", "b", "c"], ONE)
    assert len(caplog.records) == 1
    assert "it is asked again" in caplog.text


@pytest.mark.parametrize(
    "refusal",
    [
        {"message": "This model's maximum context length is 2048 tokens. You requested 2500."},
        {"message": "…", "code": "context_length_exceeded"},
        {"message": "the request exceeds the available context size"},
    ],
)
def test_a_prompt_that_is_too_long_fails_alone(
    server: Any, words: Any, refusal: dict[str, str]
) -> None:
    """Even twenty in a row are not the server's fault."""
    server.reply = lambda body: (
        words.echo(body) if words.asked(body) == "a" else (400, words.error(**refusal))
    )
    prompts = [f"long {number}" for number in range(20)] + ["a"]
    *long, good = Endpoint(server.url, "m", concurrency=2).answer(prompts, ONE)
    assert good.texts == ("a 0",)
    assert all(one.error.startswith("the prompt is too long: ") for one in long)
    assert len(server.bodies) == 21


def test_a_server_that_dies_ends_the_run_and_what_it_answered_is_kept(
    server: Any, words: Any, tmp_path: Path
) -> None:
    server.reply = lambda body: words.echo(body) if len(server.bodies) <= 5 else (500, "dead")
    endpoint = Endpoint(server.url, "m", tries=1, concurrency=1, cache=tmp_path / "kept.jsonl")
    prompts = [str(number) for number in range(50)]
    with pytest.raises(
        EndpointError, match=r"8 prompts in a row failed, the last: .* 500: dead"
    ) as caught:
        endpoint.answer(prompts, ONE)
    assert str(caught.value.remedy).endswith("What was answered is kept.")
    assert endpoint.cache is not None and len(endpoint.cache) == 5
    assert endpoint.spent.answer_tokens == 15


def test_a_slow_server_is_given_up(server: Any, words: Any) -> None:
    release = threading.Event()

    def reply(body: Any) -> tuple[int, str]:
        if words.asked(body) == "slow":
            release.wait(10)
        return words.echo(body)

    server.reply = reply
    began = time.monotonic()
    slow, good = Endpoint(server.url, "m", timeout_s=0.2, tries=2).answer(["slow", "a"], ONE)
    release.set()
    assert slow.error == "sent no answer within 0.2 s (2 times)"
    assert good.texts == ("a 0",)
    assert time.monotonic() - began < 5


def test_a_server_that_never_answers_may_want_more_time(server: Any, words: Any) -> None:
    release = threading.Event()
    server.reply = lambda body: (release.wait(10), words.echo(body))[1]
    with pytest.raises(EndpointError, match=r"sent no answer within 0\.1 s") as caught:
        Endpoint(server.url, "m", timeout_s=0.1, tries=1).answer(["a"], ONE)
    release.set()
    assert "--patience" in str(caught.value.remedy)


def test_ctrl_c_keeps_what_is_under_way(server: Any, words: Any, tmp_path: Path) -> None:
    """The second answer comes after the interrupt, and is in the cache all the same."""
    endpoint = Endpoint(server.url, "m", concurrency=2, cache=tmp_path / "kept.jsonl")

    def reply(body: Any) -> tuple[int, str]:
        time.sleep(0.2 if words.asked(body) == "b" else 0)
        return words.echo(body)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    server.reply = reply
    with pytest.raises(KeyboardInterrupt):
        endpoint.answer(["a", "b", *"cdefgh"], ONE, interrupt)
    assert endpoint.cache is not None
    kept = len(endpoint.cache)
    assert 2 <= kept <= 4
    sent = len(server.bodies)
    found = endpoint.answer(["a", "b"], ONE)
    assert [one.cached for one in found] == [True, True]
    assert len(server.bodies) == sent
