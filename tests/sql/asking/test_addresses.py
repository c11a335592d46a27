"""Which server is asked, with which key, and who never sees it."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import ConfigError, EndpointError, LuciolaError
from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling

ONE = Sampling()
KEY = "sk-very-secret-0123456789"


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


def test_nobody_there_is_one_clear_error() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    prompts = [str(number) for number in range(50)]
    with pytest.raises(EndpointError, match=r"cannot be reached: .*refused") as caught:
        Endpoint(f"http://127.0.0.1:{port}", "m", tries=2, concurrency=4).answer(prompts, ONE)
    assert "4 prompts in a row failed" in caught.value.message
    assert f"http://127.0.0.1:{port}/v1/chat/completions" in caught.value.message


def test_every_error_is_one_that_is_shown_without_a_trace() -> None:
    assert issubclass(EndpointError, LuciolaError)
