"""Asking a server: one that works, one that stumbles, one that answers nonsense or nothing."""

from __future__ import annotations

import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import ConfigError, EndpointError, LuciolaError
from luciola.sql.asking.costs import costs_of
from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling

ONE = Sampling()
KEY = "sk-very-secret-0123456789"


def test_a_prompt_is_the_one_message_of_a_user(server: Any) -> None:
    (answers,) = Endpoint(server.url, "m").answer(["SELECT "], ONE)
    assert server.paths == ["/v1/chat/completions"]
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "SELECT "}],
            "temperature": 0.0,
            "top_p": 1.0,
            "max_tokens": 200,
        }
    ]
    assert answers.texts == ("SELECT  0",)
    assert (answers.prompt_tokens, answers.answer_tokens, answers.requests) == (10, 3, 1)


def test_completions_go_on_from_the_prompt(server: Any) -> None:
    sampling = Sampling(stop=(";",), temperature=0.5, seed=3)
    (answers,) = Endpoint(server.url + "/completions", "m", chat=False).answer(["a"], sampling)
    assert server.paths == ["/v1/completions"]
    assert server.bodies[0]["prompt"] == "a"
    assert server.bodies[0]["stop"] == [";"]
    assert server.bodies[0]["seed"] == 3
    assert answers.texts == ("a 0",)
    assert not answers.counted  # this server says nothing about tokens
    assert (answers.prompt_tokens, answers.answer_tokens) == (0, 0)


def test_answers_stay_in_order_and_requests_go_out_together(server: Any, words: Any) -> None:
    together = threading.Barrier(4, timeout=10)

    def reply(body: Any) -> tuple[int, str]:
        together.wait()  # passes only when four requests are under way
        time.sleep(0.01 * (3 - int(words.asked(body)) % 4))  # the last ones come back first
        return words.echo(body)

    server.reply = reply
    seen: list[tuple[int, int]] = []
    prompts = [str(number) for number in range(8)]
    found = Endpoint(server.url, "m", concurrency=4).answer(
        prompts, ONE, lambda done, total: seen.append((done, total))
    )
    assert [one.texts[0] for one in found] == [f"{prompt} 0" for prompt in prompts]
    assert server.most == 4
    assert seen == [(number, 8) for number in range(1, 9)]


def test_equal_prompts_are_asked_once(server: Any) -> None:
    endpoint = Endpoint(server.url, "m")
    found = endpoint.answer(["a", "b", "a"], ONE)
    assert [one.texts[0] for one in found] == ["a 0", "b 0", "a 0"]
    assert [one.cached for one in found] == [False, False, True]
    assert len(server.bodies) == 2
    assert endpoint.spent.requests == 2


def test_retry_after_is_waited_for_by_everyone(server: Any, words: Any) -> None:
    """The first request is told to wait 0.3 s: nothing at all comes before that."""
    refused: list[float] = []

    def reply(body: Any) -> Any:
        if not refused:
            refused.append(time.monotonic())
            return 429, words.error("slow down"), {"Retry-After": "0.3"}
        return words.echo(body)

    server.reply = reply
    found = Endpoint(server.url, "m", concurrency=1).answer(["a", "b"], ONE)
    assert [one.texts[0] for one in found] == ["a 0", "b 0"]
    assert server.times[1] - refused[0] >= 0.29


def test_a_server_that_wants_hours_ends_the_run(server: Any, words: Any) -> None:
    server.reply = lambda body: (429, words.error("come back"), {"Retry-After": "7200"})
    with pytest.raises(EndpointError, match="answered 429: come back") as caught:
        Endpoint(server.url, "m").answer(["a"], ONE)
    assert caught.value.remedy == "It answers again in 7,200 s."


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


def test_the_key_goes_to_the_server_and_nowhere_else(
    server: Any,
    words: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MY_KEY", KEY + "\n")
    caplog.set_level(logging.DEBUG)
    cache = tmp_path / "kept.jsonl"
    endpoint = Endpoint(server.url, "m", key_variable="MY_KEY", cache=cache, tries=2)
    server.reply = lambda body: (
        words.echo(body) if words.asked(body) == "a" else (500, f"key {KEY}?")
    )
    found = endpoint.answer(["a", "b"], ONE)
    assert set(server.keys) == {f"Bearer {KEY}"}
    server.reply = lambda body: (401, words.error(f"Incorrect API key provided: {KEY}"))
    with pytest.raises(EndpointError, match="Incorrect API key provided: …") as caught:
        endpoint.answer(["c"], ONE)
    assert caught.value.remedy == "The key is read from MY_KEY, which was sent."
    said = f"{found} {caught.value!r} {vars(endpoint)} {caplog.text} {cache.read_text()}"
    assert KEY not in said


def test_a_key_that_cannot_be_sent_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-ä\nb")
    with pytest.raises(ConfigError, match="the key in MY_KEY has letters") as caught:
        Endpoint("http://localhost:1", "m", key_variable="MY_KEY")
    assert "sk-" not in str(caught.value)


def test_the_key_does_not_follow_to_another_server(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.reply = lambda body: (307, "", {"Location": "http://127.0.0.1:1/v2"})
    with pytest.raises(EndpointError, match=r"moved to http://127\.0\.0\.1:1/v2"):
        Endpoint(server.url, "m").answer(["a"], ONE)


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


def test_halves_of_characters_and_terminal_commands_do_no_harm(server: Any, words: Any) -> None:
    """Both come in JSON's escapes; the one could not be written, the other would be obeyed."""
    server.reply = lambda body: (
        (200, words.chat("SELECT '\ud83d'"))
        if words.asked(body) == "a"
        else (400, words.error("\x1b[2Jgone\ud83d"))
    )
    good, bad = Endpoint(server.url, "m", concurrency=1).answer(["a", "b"], ONE)
    assert good.texts == ("SELECT '?'",)
    assert bad.error == "answered 400: ?[2Jgone?"


def test_a_pause_of_nothing_is_lengthened_all_the_same(
    server: Any, words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least half of 0.2 s, whatever the server says."""
    monkeypatch.setattr("luciola.sql.asking.exchange.FIRST_PAUSE_S", 0.2)
    server.reply = lambda body: (
        (429, words.error("busy"), {"Retry-After": "0"})
        if len(server.bodies) == 1
        else words.echo(body)
    )
    Endpoint(server.url, "m").answer(["a"], ONE)
    assert server.times[1] - server.times[0] >= 0.1


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


def test_content_in_parts_is_read(server: Any, words: Any) -> None:
    parts = [{"type": "text", "text": "SELECT"}, {"type": "text", "text": " 1"}]
    server.reply = lambda body: (200, words.chat(parts))
    (answers,) = Endpoint(server.url, "m").answer(["a"], ONE)
    assert answers.texts == ("SELECT 1",)


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


def test_nobody_there_is_one_clear_error() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    prompts = [str(number) for number in range(50)]
    with pytest.raises(EndpointError, match=r"cannot be reached: .*refused") as caught:
        Endpoint(f"http://127.0.0.1:{port}", "m", tries=2, concurrency=4).answer(prompts, ONE)
    assert "4 prompts in a row failed" in caught.value.message
    assert f"http://127.0.0.1:{port}/v1/chat/completions" in caught.value.message


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
    assert "timed out (2 times)" in slow.error
    assert good.texts == ("a 0",)
    assert time.monotonic() - began < 5


def test_several_answers_come_in_one_reply(server: Any) -> None:
    (answers,) = Endpoint(server.url, "m").answer(["a"], Sampling(answers=3, temperature=1.0))
    assert answers.texts == ("a 0", "a 1", "a 2")
    assert server.bodies[0]["n"] == 3
    assert (answers.prompt_tokens, answers.answer_tokens, answers.requests) == (10, 9, 1)


def test_a_server_that_gives_one_answer_is_asked_several_times(server: Any, words: Any) -> None:
    """Each time with another seed; the first prompt shows it, the second is asked one by one."""
    server.reply = lambda body: (200, words.chat(f"seed {body['seed']}"))
    endpoint = Endpoint(server.url, "m", concurrency=1)
    sampling = Sampling(answers=3, temperature=1.0, seed=5)
    first, second = endpoint.answer(["a", "b"], sampling)
    assert first.texts == second.texts == ("seed 5", "seed 6", "seed 7")
    assert [body.get("n", 1) for body in server.bodies] == [3, 1, 1, 1, 1, 1]
    assert (first.prompt_tokens, first.answer_tokens, first.requests) == (10, 9, 3)
    assert costs_of([first]).prompt_tokens == 30


def test_a_server_that_refuses_several_answers_is_asked_several_times(
    server: Any, words: Any
) -> None:
    server.reply = lambda body: (
        (400, words.error("Only one completion choice is allowed"))
        if "n" in body
        else words.echo(body)
    )
    (answers,) = Endpoint(server.url, "m").answer(["a"], Sampling(answers=2, temperature=1.0))
    assert answers.texts == ("a 0", "a 0")
    assert len(server.bodies) == 3


def test_a_server_that_knows_other_words_is_asked_in_them(server: Any, words: Any) -> None:
    def reply(body: Any) -> tuple[int, str]:
        if "max_tokens" in body:
            return 400, words.error("Use 'max_completion_tokens' instead.", param="max_tokens")
        if "seed" in body:
            return 422, '{"detail": "extra field: seed"}'
        return words.echo(body)

    server.reply = reply
    sampling = Sampling(answers=2, temperature=1.0, max_tokens=7)
    found = Endpoint(server.url, "m", concurrency=1).answer(["a", "b"], sampling)
    assert [one.texts for one in found] == [("a 0", "a 1"), ("b 0", "b 1")]
    assert server.bodies[-1]["max_completion_tokens"] == 7
    assert len(server.bodies) == 4


def test_one_prompt_that_is_not_accepted_changes_nothing_for_the_others(
    server: Any, words: Any
) -> None:
    server.reply = lambda body: (
        (400, words.error("bad words")) if words.asked(body) == "b" else words.echo(body)
    )
    sampling = Sampling(answers=2, temperature=1.0)
    found = Endpoint(server.url, "m", concurrency=1).answer(["a", "b", "c"], sampling)
    assert found[1].error == "answered 400: bad words"
    assert server.bodies[-1]["n"] == 2


def test_limits_per_minute_spread_the_requests(server: Any) -> None:
    """1,200 requests per minute are one every 0.05 s."""
    Endpoint(server.url, "m", requests_per_minute=1200).answer([str(i) for i in range(5)], ONE)
    times = sorted(server.times)
    assert times[-1] - times[0] >= 0.18


def test_tokens_per_minute_are_counted_as_the_server_counts(server: Any) -> None:
    """It counts 13 tokens for each, whatever was guessed: 0.05 s each at 15,600 per minute."""
    endpoint = Endpoint(server.url, "m", concurrency=1, tokens_per_minute=15_600)
    endpoint.answer([str(i) for i in range(5)], ONE)
    assert 0.15 <= server.times[-1] - server.times[0] < 2


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("localhost:8000", "is no address of a server"),
        ("http://", "is no address of a server"),
        ("http://a:b", "is no address of a server"),
        ("http://höst/v1", "is no address of a server"),
        ("https://me:secret@host/v1", "the address of host holds a password"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        Endpoint(url, "m")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "setting", ["concurrency", "tries", "timeout_s", "requests_per_minute", "tokens_per_minute"]
)
def test_settings_must_be_positive(setting: str) -> None:
    settings: dict[str, Any] = {setting: -1}
    with pytest.raises(ConfigError, match=f"{setting} must be positive, got -1"):
        Endpoint("http://localhost", "m", **settings)


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


def test_every_error_is_one_that_is_shown_without_a_trace() -> None:
    assert issubclass(EndpointError, LuciolaError)
