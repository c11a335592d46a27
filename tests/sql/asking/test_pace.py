"""How fast a server is asked: its own wishes, and limits per minute."""

from __future__ import annotations

import time
from typing import Any

import pytest

from luciola.errors import EndpointError
from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling

ONE = Sampling()


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
