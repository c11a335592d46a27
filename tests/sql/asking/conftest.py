"""A real server in a thread: it answers, stumbles, or answers nonsense, as a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Reply = tuple[int, str] | tuple[int, str, dict[str, str]]


class Server:
    """Keeps what it was sent; `reply` gives the status, the body and perhaps headers."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.most = self.under_way = 0
        self.lock = threading.Lock()
        self.reply: Callable[[Any], Reply] = lambda body: echo(body)
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.http.daemon_threads = True
        self.http.block_on_close = False
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server.lock:
                    server.bodies.append(body)
                    server.paths.append(self.path)
                    server.keys.append(self.headers["Authorization"])
                    server.times.append(time.monotonic())
                    server.under_way += 1
                    server.most = max(server.most, server.under_way)
                status, text, *more = server.reply(body)
                with server.lock:
                    server.under_way -= 1
                with suppress(OSError):  # whoever asked has given up
                    self.send(status, text, more[0] if more else {})

            def send(self, status: int, text: str, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments: object) -> None: ...

        return Handler


def asked(body: Any) -> str:
    """The prompt of a request."""
    return str(body["messages"][0]["content"] if "messages" in body else body["prompt"])


def chat(*texts: Any, usage: bool = True, **more: Any) -> str:
    """A chat server's reply with these texts: 10 tokens read, 3 written for each."""
    choices = [{"message": {"role": "assistant", "content": text}, **more} for text in texts]
    tokens = {"usage": {"prompt_tokens": 10, "completion_tokens": 3 * len(texts)}} if usage else {}
    return json.dumps({"choices": choices, **tokens})


def echo(body: Any) -> tuple[int, str]:
    """As many answers as asked for, each the prompt with a number behind it."""
    texts = [f"{asked(body)} {number}" for number in range(body.get("n", 1))]
    if "messages" in body:
        return 200, chat(*texts)
    return 200, json.dumps({"choices": [{"text": text} for text in texts]})


def error(message: str, **more: Any) -> str:
    """A server's error."""
    return json.dumps({"error": {"message": message, **more}})


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def words() -> Any:
    """What tests need to speak as a server: `chat`, `echo`, `error`, `asked`."""
    from types import SimpleNamespace

    return SimpleNamespace(chat=chat, echo=echo, error=error, asked=asked)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of this machine is sent, and pauses between tries are short."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("luciola.sql.asking.exchange.FIRST_PAUSE_S", 0.005)
