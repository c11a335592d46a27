"""Many prompts meet the same refusals at a time: one of them finds out what the server takes."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from typing import Any

import pytest

from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling

NAMES = ("max_tokens", "temperature", "top_p", "stop", "seed")


def refusals(bodies: list[Any]) -> Counter[str]:
    """How often each setting was refused, by the first that the server minds."""
    return Counter(next((name for name in NAMES if name in body), "none") for body in bodies)


def test_eight_prompts_at_once_learn_each_refusal_once(
    server: Any, words: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """All eight first requests are under way before the first refusal; nothing can spare those."""
    together, first = threading.Barrier(8, timeout=20), threading.Semaphore(8)

    def reply(body: Any) -> tuple[int, str]:
        if "max_tokens" in body and first.acquire(blocking=False):
            together.wait()
        for name in NAMES:
            if name in body:
                wanted = "Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                said = f"Unsupported parameter: '{name}'. {wanted}"
                return 400, json.dumps({"error": {"message": said, "param": name}})
        return 200, words.chat("SELECT 1;")

    server.reply = reply
    sampling = Sampling(temperature=0.5, stop=(";",), seed=3)
    model = Endpoint(server.url, "m", concurrency=8)
    with caplog.at_level(logging.WARNING):
        found = model.answer([str(number) for number in range(24)], sampling)
    assert [one.texts for one in found] == [("SELECT 1",)] * 24
    once = dict.fromkeys(NAMES[1:], 1)
    assert refusals(server.bodies) == {"max_tokens": 8, **once, "none": 24}
    assert len(caplog.records) == 1


def test_an_early_answer_does_not_undo_what_others_learned(server: Any, words: Any) -> None:
    """The first request is still read with a temperature when the second one is refused for it."""
    refused = threading.Event()

    def reply(body: Any) -> tuple[int, str]:
        if words.asked(body) == "early":
            assert refused.wait(20)
            return 200, words.chat("SELECT 0")
        if "temperature" in body:
            said = "temperature: only 1 supported"
            return 400, json.dumps({"error": {"message": said, "param": "temperature"}})
        refused.set()
        return 200, words.chat("SELECT 1")

    server.reply = reply
    model = Endpoint(server.url, "m", concurrency=2)
    model.answer(["early", "b"], Sampling())
    model.answer(["d"], Sampling())
    heated = [words.asked(body) for body in server.bodies if "temperature" in body]
    assert sorted(heated) == ["b", "early"]
