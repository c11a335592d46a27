"""A server that answers, stumbles, or answers nonsense; a real one in a thread."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from luciola.errors import ConfigError, RewardError
from luciola.rewards.building import build_reward
from luciola.rewards.http import HttpPart
from luciola.types import Answered

Make = Callable[..., list[Answered]]


class Server:
    """Keeps what it was sent; `reply` gives the status and the body."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.reply: Callable[[Any], tuple[int, str]] = self.lengths
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                body = json.loads(text)
                server.bodies.append(body)
                status, reply = server.reply(body)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(reply.encode())

            def log_message(self, *arguments: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/score"
        threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    @staticmethod
    def lengths(body: Any) -> tuple[int, str]:
        return 200, json.dumps({"scores": [len(answer) for answer in body["answers"]]})


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_prompts_and_answers_go_out_and_scores_come_back(server: Server, answered: Make) -> None:
    scored = build_reward(f"judge={server.url}@2").score(answered("ab", "ä→c", prompt="P"))
    assert server.bodies == [{"prompts": ["P", "P"], "answers": ["ab", "ä→c"]}]
    assert scored.scores == [4.0, 6.0]
    assert scored.parts == {"judge": [2.0, 3.0]}


def test_batches_go_out_together_and_keep_their_order(server: Server, answered: Make) -> None:
    together = threading.Barrier(3, timeout=10)

    def reply(body: Any) -> tuple[int, str]:
        together.wait()  # passes only when three requests are under way
        return Server.lengths(body)

    server.reply = reply
    texts = ["x" * length for length in (5, 1, 4, 2, 3)]
    scores = HttpPart(server.url, batch=2, parallel=3).raw(answered(*texts))
    assert scores == [5, 1, 4, 2, 3]
    assert sorted(len(body["answers"]) for body in server.bodies) == [1, 2, 2]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_stumbles_is_asked_again(status: int, server: Server, answered: Make) -> None:
    server.reply = lambda body: (status, "wait") if len(server.bodies) < 3 else Server.lengths(body)
    assert HttpPart(server.url, pause_s=0.001).raw(answered("ab")) == [2]
    assert len(server.bodies) == 3


def test_a_server_that_goes_on_failing_is_given_up(server: Server, answered: Make) -> None:
    server.reply = lambda body: (500, "out of memory")
    with pytest.raises(RewardError) as caught:
        HttpPart(server.url, tries=3, pause_s=0.001).raw(answered("ab"))
    assert len(server.bodies) == 3
    seen = f"{server.url} answered 500 Internal Server Error (out of memory), 3 times"
    assert caught.value.message.startswith(seen)
    assert "answer 'ab'" in caught.value.message


def test_a_refusal_is_not_repeated(server: Server, answered: Make) -> None:
    server.reply = lambda body: (404, "no such page")
    with pytest.raises(RewardError, match=r"answered 404 Not Found \(no such page\), on 1 answers"):
        HttpPart(server.url, pause_s=0.001).raw(answered("ab"))
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        ("<html>", "answered '<html>' for 2 answers"),
        ('{"rewards": [1, 2]}', "answered '{\"rewards"),
        ("[1, 2]", r"answered '\[1, 2\]'"),
        ('{"scores": [1]}', "answered 1 scores for 2 answers"),
        ('{"scores": 1}', "answered '{"),
    ],
)
def test_a_reply_without_scores_is_shown(
    reply: str, seen: str, server: Server, answered: Make
) -> None:
    server.reply = lambda body: (200, reply)
    with pytest.raises(RewardError, match=seen):
        HttpPart(server.url).raw(answered("a", "b"))


def test_a_score_of_nan_names_the_sample(server: Server, answered: Make) -> None:
    server.reply = lambda body: (200, '{"scores": [1, NaN]}')
    with pytest.raises(RewardError, match=r"reward 127\.0\.0\.1 gave nan for answer 2 of 2"):
        build_reward(server.url).score(answered("a", "b"))


def test_a_server_that_is_not_there_is_named(answered: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    with pytest.raises(RewardError, match=f"{url} cannot be reached: .*refused, 2 times"):
        HttpPart(url, tries=2, pause_s=0.001).raw(answered("a"))


def test_a_server_that_says_nothing_is_waited_for_only_so_long(answered: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(RewardError, match=r"sent no answer within 0\.05 s"):
            HttpPart(url, tries=1, timeout_s=0.05).raw(answered("a"))


def test_a_server_here_is_never_asked_for_through_a_proxy(
    server: Server, answered: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert HttpPart(server.url, tries=1).raw(answered("ab")) == [2]


@pytest.mark.parametrize("url", ["nowhere", "ftp://host/", "http://", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a server"):
        HttpPart(url)
