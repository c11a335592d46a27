"""The one HTTP client: a time limit that holds, and sentences without keys."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from email.message import Message
from email.utils import formatdate
from typing import Any

import pytest

from luciola.errors import EndpointError, RewardError
from luciola.http.post import NoReplyError, pause_of, post
from luciola.rewards.http import HttpPart
from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling
from luciola.sql.dail.corenlp import CoreNlp
from luciola.types import Answered

OK = b"HTTP/1.1 200 OK\r\n"
SECRET = "sk-verysecret"


class Raw:
    """A server that sends these bytes, then one of `drip` every 0.02 s; it keeps the requests."""

    def __init__(self) -> None:
        self.sent, self.drip = OK + b"\r\n{}", b""
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            head, _, body = self._head(connection).partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += connection.recv(65536)
            self.requests.append(head)
            connection.sendall(self.sent)
            while self.drip and not self.over.wait(0.02):
                connection.sendall(self.drip)

    def _head(self, connection: socket.socket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        return received


@pytest.fixture
def raw() -> Iterator[Raw]:
    server = Raw()
    yield server
    server.over.set()
    server.socket.close()


def language_model(url: str) -> None:
    Endpoint(f"{url}/v1", "m", tries=1, timeout_s=0.3).answer(["a"], Sampling())


def reward(url: str) -> None:
    one = Answered(prompt="p", answer="a")
    HttpPart(url, tries=1, timeout_s=0.3).raw([one])


def words(url: str) -> None:
    CoreNlp(url, timeout_s=0.3)("text")


@pytest.mark.parametrize("ask", [language_model, reward, words])
@pytest.mark.parametrize(
    ("sent", "drip"),
    [(b"", b""), (OK, b"x-a: b\r\n"), (OK + b"\r\n", b" "), (b"HTTP/1.1 500 No\r\n\r\n", b"<")],
    ids=["nothing", "headers", "body", "error"],
)
def test_a_server_that_drips_is_given_up_in_time_whoever_asks(
    raw: Raw, ask: Callable[[str], None], sent: bytes, drip: bytes
) -> None:
    """A byte every 0.02 s is a sign of life each time, and still too slow."""
    raw.sent, raw.drip = sent, drip
    if not sent:
        raw.sent, raw.drip = b"H", b"T"
    began = time.monotonic()
    with pytest.raises(
        (EndpointError, RewardError), match=r"sent no answer within 0\.3 s"
    ) as found:
        ask(raw.url)
    assert time.monotonic() - began < 4  # 0.3 s, on a machine with much else to do
    assert found.value.remedy and "\n" not in found.value.message


def test_a_look_up_that_hangs_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: end.wait(30) and [])
    began = time.monotonic()
    with pytest.raises(NoReplyError, match=r"sent no answer within 0\.2 s") as found:
        post("http://127.0.0.1:9/", b"", timeout_s=0.2)
    assert found.value.timed_out
    assert time.monotonic() - began < 4
    end.set()


def test_all_addresses_of_a_host_are_tried(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with localhost, which may be ::1 where the server has 127.0.0.1 alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = free.getsockname()[1]

    def places(*_: Any) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", port)) for port in (dead, raw.port)]

    monkeypatch.setattr(socket, "getaddrinfo", places)
    assert post("http://localhost/", b"", timeout_s=10).text == "{}"


def test_a_key_is_sent_and_no_reply_repeats_it(raw: Raw) -> None:
    for status in (b"200 OK", b"400 No"):
        raw.sent = b"HTTP/1.1 " + status + b"\r\n\r\nyour key is " + SECRET.encode()
        assert post(raw.url, b"", key=SECRET, timeout_s=10).text == "your key is …"
        assert post(f"{raw.url}?api_key={SECRET}", b"", timeout_s=10).text == "your key is …"
    assert f"authorization: bearer {SECRET}".encode() in raw.requests[0].lower()
    assert f"?api_key={SECRET}".encode() in raw.requests[1]


def test_an_answer_may_hold_the_words_of_the_address(raw: Raw) -> None:
    """`customers` in the address is no key, and the SQL needs the word."""
    raw.sent = OK + b"\r\nSELECT * FROM customers"
    found = post(f"{raw.url}?deployment=customers", b"", timeout_s=10)
    assert found.text == "SELECT * FROM customers"


@pytest.mark.parametrize("ask", [reward, words])
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "closed the connection without a reply"),
        (b"SSH-2.0-OpenSSH_9\r\n", "answered something that is no HTTP (SSH-2.0-OpenSSH_9)"),
        (OK + b"Content-Length: 9\r\n\r\n{", "broke off in the middle of its reply"),
        (OK + b"Content-Encoding: br\r\n\r\nx", "packed as 'br', which was not asked for"),
        (b"HTTP/1.1 502 Bad\r\n\r\n<html><title>Proxy</title>", "a web page ('Proxy')"),
    ],
)
def test_rewards_and_words_tell_failures_as_models_do(
    raw: Raw, ask: Callable[[str], None], sent: bytes, said: str
) -> None:
    raw.sent = sent
    with pytest.raises((EndpointError, RewardError)) as found:
        ask(raw.url)
    assert said in found.value.message
    assert "\n" not in found.value.message


def test_a_reward_server_that_moved_is_not_followed(raw: Raw) -> None:
    """A redirect of a POST would come as a GET without the answers."""
    raw.sent = (
        b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1/new?key=1\r\nContent-Length: 0\r\n\r\n"
    )
    with pytest.raises(RewardError, match=r"moved to http://127\.0\.0\.1/new, on 1 answers"):
        reward(raw.url)


def test_a_key_in_the_address_of_a_reward_is_never_shown(raw: Raw) -> None:
    for status in (b"200 OK", b"404 No"):
        raw.sent = b"HTTP/1.1 " + status + b"\r\n\r\nno path /?api_key=" + SECRET.encode()
        with pytest.raises(RewardError) as found:
            reward(f"{raw.url}/?api_key={SECRET}")
        assert SECRET not in str(found.value)


@pytest.mark.parametrize(("said", "pause"), [("7", 7), ("0.5", 0.5), ("-3", 0), ("soon", None)])
def test_pauses_in_seconds(said: str, pause: float | None) -> None:
    headers = Message()
    assert pause_of(headers) is None
    headers["Retry-After"] = said
    assert pause_of(headers) == pause


def test_a_pause_up_to_a_date() -> None:
    headers = Message()
    headers["Retry-After"] = formatdate(time.time() + 30, usegmt=True)
    pause = pause_of(headers)
    assert pause is not None and 27 <= pause <= 30
