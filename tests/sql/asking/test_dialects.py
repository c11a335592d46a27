"""What a server is asked in, and how: forms of a request, several answers, other words."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from luciola.sql.asking.cache import Kept
from luciola.sql.asking.costs import costs_of
from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling

ONE = Sampling()


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


def test_content_in_parts_is_read(server: Any, words: Any) -> None:
    parts = [{"type": "text", "text": "SELECT"}, {"type": "text", "text": " 1"}]
    server.reply = lambda body: (200, words.chat(parts))
    (answers,) = Endpoint(server.url, "m").answer(["a"], ONE)
    assert answers.texts == ("SELECT 1",)


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


def test_answers_that_ran_out_of_tokens_are_counted_and_kept_as_such(
    server: Any, tmp_path: Path
) -> None:
    """Of three texts the first and the last are cut; the cache remembers which."""

    def reply(_: Any) -> tuple[int, Any]:
        endings = ["length", "stop", "length"]
        choices = [
            {"message": {"content": f"SELECT {place}"}, "finish_reason": ending}
            for place, ending in enumerate(endings)
        ]
        usage = {"prompt_tokens": 1, "completion_tokens": 9}
        return 200, json.dumps({"choices": choices, "usage": usage})

    server.reply = reply
    cache = tmp_path / "kept.jsonl"
    three = Sampling(answers=3, temperature=1.0)
    for _ in range(2):
        (answers,) = Endpoint(server.url, "m", cache=cache).answer(["a"], three)
        assert answers.cut == (0, 2)
        assert costs_of([answers]).cut == 2
    kept = Kept(("a", "b", "c"), 1, 9, cut=(0, 2))
    assert (kept.first(2).cut, kept.after(2).cut) == ((0,), (0,))
    assert kept.followed_by(Kept(("d",), 1, 1, cut=(0,))).cut == (0, 2, 3)
