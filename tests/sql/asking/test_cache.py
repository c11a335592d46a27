"""Answers on disk: what was paid for once is never asked again, whatever was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from luciola.errors import ConfigError, StorageError
from luciola.sql.asking.cache import AnswerCache, Kept, address
from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling

ONE = Sampling()
DRAWN = Sampling(answers=2, temperature=1.0)

KILLED = """
import sys
from pathlib import Path
from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling
url, cache = sys.argv[1:]
prompts = [str(number) for number in range(40)]
Endpoint(url, "m", concurrency=2, cache=Path(cache)).answer(prompts, Sampling())
"""


def test_a_second_run_asks_only_what_is_missing(server: Any, tmp_path: Path) -> None:
    cache = tmp_path / "deep" / "kept.jsonl"
    first = Endpoint(server.url, "m", cache=cache).answer(["a", "b"], ONE)
    second = Endpoint(server.url, "m", cache=cache).answer(["b", "c", "a"], ONE)
    assert len(server.bodies) == 3
    assert [one.texts for one in second] == [("b 0",), ("c 0",), ("a 0",)]
    assert [one.cached for one in second] == [True, False, True]
    assert second[2] == replace(first[0], cached=True)  # the tokens are known as well


def test_a_run_that_was_killed_goes_on_where_it_was(
    server: Any, words: Any, tmp_path: Path
) -> None:
    """kill -9 after ten answers: the second run asks the other thirty, and at most the two that
    were under way once more."""
    cache = tmp_path / "kept.jsonl"
    ten = threading.Event()

    def reply(body: Any) -> tuple[int, str]:
        if len(server.bodies) > 10:
            ten.set()
            threading.Event().wait(30 if run.poll() is None else 0)
        return words.echo(body)

    server.reply = reply
    run = subprocess.Popen([sys.executable, "-c", KILLED, server.url, str(cache)])
    assert ten.wait(30)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    kept = len(AnswerCache(cache))
    assert kept in (9, 10)
    server.reply = words.echo
    server.bodies.clear()
    prompts = [str(number) for number in range(40)]
    found = Endpoint(server.url, "m", cache=cache).answer(prompts, ONE)
    assert [one.texts[0] for one in found] == [f"{prompt} 0" for prompt in prompts]
    asked = {words.asked(body) for body in server.bodies}  # the killed run's last may come late
    assert len(asked) == 40 - kept


@pytest.mark.parametrize("torn", ['{"key": "x", "te', '{"key": "x"}', "\ufffd[", "7"])
def test_a_torn_line_is_passed_over_and_the_next_is_whole(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "kept.jsonl"
    AnswerCache(path).keep("a", Kept(("1",), 10, 3))
    with path.open("a") as file:
        file.write(torn)
    cache = AnswerCache(path)
    assert len(cache) == 1
    cache.keep("b", Kept(("2",), 10, 3))
    again = AnswerCache(path)
    assert again.find("a") == Kept(("1",), 10, 3)
    assert again.find("b") == Kept(("2",), 10, 3)


def test_more_answers_are_added_to_those_that_are_there(server: Any, tmp_path: Path) -> None:
    """Two are kept, four are wanted: two more are drawn, with a seed of their own."""
    cache = tmp_path / "kept.jsonl"
    Endpoint(server.url, "m", cache=cache).answer(["a"], DRAWN)
    (four,) = Endpoint(server.url, "m", cache=cache).answer(["a"], replace(DRAWN, answers=4))
    assert [body["n"] for body in server.bodies] == [2, 2]
    assert [body["seed"] for body in server.bodies] == [0, 2]
    assert len(four.texts) == 4
    assert not four.cached
    (one,) = Endpoint(server.url, "m", cache=cache).answer(["a"], replace(DRAWN, answers=1))
    assert one.texts == ("a 0",)
    assert (one.prompt_tokens, one.answer_tokens) == (10, 3)
    assert len(server.bodies) == 2


def test_failures_are_not_kept(server: Any, words: Any, tmp_path: Path) -> None:
    cache = tmp_path / "kept.jsonl"
    server.reply = lambda body: (
        words.echo(body) if words.asked(body) == "a" else (400, words.error("context length"))
    )
    Endpoint(server.url, "m", cache=cache).answer(["a", "b"], ONE)
    server.reply = words.echo
    found = Endpoint(server.url, "m", cache=cache).answer(["a", "b"], ONE)
    assert [one.cached for one in found] == [True, False]
    assert found[1].texts == ("b 0",)


def test_whatever_an_answer_depends_on_has_an_address_of_its_own() -> None:
    addresses = {
        address("m", "a", ONE),
        address("m2", "a", ONE),
        address("m", "a ", ONE),
        address("m", "a", replace(ONE, temperature=0.5)),
        address("m", "a", replace(ONE, max_tokens=100)),
        address("m", "a", replace(ONE, stop=(";",))),
        address("m", "a", replace(ONE, seed=1)),
        address("m", "\ud800", ONE),
    }
    assert len(addresses) == 8
    assert address("m", "a", ONE) == address("m", "a", replace(ONE, answers=5))


def test_threads_write_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    cache = AnswerCache(path)
    keys = [f"{number}" for number in range(200)]

    def work(part: list[str]) -> None:
        for key in part:
            cache.keep(key, Kept((key * 500,), 1, 1))

    threads = [threading.Thread(target=work, args=(keys[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = AnswerCache(path)
    assert all(again.find(key) == Kept((key * 500,), 1, 1) for key in keys)


def test_a_file_that_cannot_be_written_or_read_is_named(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "kept.jsonl")
    cache.path.mkdir()
    with pytest.raises(StorageError, match=r"cannot be kept in .*kept\.jsonl: Is a directory"):
        cache.keep("a", Kept(("1",), 0, 0))
    with pytest.raises(StorageError, match=r"kept\.jsonl cannot be read: Is a directory"):
        AnswerCache(cache.path)


TWO_WRITERS = """
import sys
from luciola.sql.asking.cache import AnswerCache, Kept
path, name = sys.argv[1:]
cache = AnswerCache(path)
print("open", flush=True)
sys.stdin.readline()
for number in range(100):
    cache.keep(f"{number}", Kept((f"{name} {number} " + "x" * 20_000, "b"), 5, 6), start=0)
    cache.keep(f"{name} {number}", Kept(("own",), 1, 1), start=0)
"""


def test_two_processes_on_one_cache_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    """Both answered the same 100 prompts at once, two texts each, and 100 of their own."""
    path = tmp_path / "kept.jsonl"
    command = [sys.executable, "-c", TWO_WRITERS, str(path)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen([*command, "a"], **pipes) as one,
        subprocess.Popen([*command, "b"], **pipes) as other,
    ):
        both: list[Any] = [one, other]
        for process in both:
            assert process.stdout.readline() == "open\n"
        for process in both:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert (one.wait(60), other.wait(60)) == (0, 0)
    cache = AnswerCache(path)
    assert len(cache) == 300
    shared = [cache.find(f"{number}") for number in range(100)]
    assert all(kept is not None and len(kept.texts) == 2 for kept in shared)
    assert all(kept is not None and kept.answer_tokens == 6 for kept in shared)


def test_what_another_process_has_kept_meanwhile_is_found(tmp_path: Path) -> None:
    first, second = (AnswerCache(tmp_path / "kept.jsonl") for _ in range(2))
    first.keep("a", Kept(("1", "2"), 10, 3), start=0)
    assert second.find("a") == Kept(("1", "2"), 10, 3)
    assert second.keep("a", Kept(("3", "4", "5"), 10, 6), start=0).texts == ("1", "2", "5")
    assert first.find("a") == AnswerCache(first.path).find("a")


def test_a_file_that_is_no_cache_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_text('{"messages": []}\n')
    with pytest.raises(ConfigError, match=r"chats\.jsonl is no cache of answers"):
        AnswerCache(path)
    assert path.read_text() == '{"messages": []}\n'
