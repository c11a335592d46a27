"""Servers that drip, break off, redirect, pack, or answer with pages: one sentence each."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from luciola.errors import ConfigError, EndpointError
from luciola.http.address import shown
from luciola.sql.asking.endpoint import Endpoint
from luciola.sql.asking.model import Sampling

ONE = Sampling()
OK = b"HTTP/1.1 200 OK\r\n"
PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in &mdash; Proxy</title></head><body>x</body></html>"
)
CHAT = json.dumps({"choices": [{"message": {"content": "SELECT 1"}}]}).encode()


class Raw:
    """A server that sends exactly these bytes, or one of `drip` every 0.02 s for ever."""

    def __init__(self) -> None:
        self.sent, self.drip = b"", b""
        self.over = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            request = b""
            while not request.endswith(b"}"):  # all of it, or closing would reset the connection
                request += connection.recv(65536)
            connection.sendall(self.sent)
            while self.drip and not self.over.wait(0.02):
                connection.sendall(self.drip)


@pytest.fixture
def raw() -> Iterator[Raw]:
    server = Raw()
    yield server
    server.over.set()
    server.socket.close()


def body(content: bytes, *headers: bytes) -> bytes:
    return OK + b"".join(each + b"\r\n" for each in headers) + b"\r\n" + content


def problem(url: str, **settings: Any) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        Endpoint(url, "m", tries=1, **settings).answer(["a"], ONE)
    assert "\n" not in caught.value.message
    assert "Traceback" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        (b"", b"H"),
        (OK, b"x-a: b\r\n"),
        (OK + b"X-Long: ", b"a"),
        (body(b""), b" "),
        (body(b"", b"Transfer-Encoding: chunked"), b"1\r\n \r\n"),
        (b"HTTP/1.1 500 No\r\n\r\n", b"<"),
    ],
)
def test_whatever_drips_ends_at_the_time_limit(raw: Raw, sent: bytes, drip: bytes) -> None:
    raw.sent, raw.drip = sent, drip
    began = time.monotonic()
    error = problem(raw.url, timeout_s=0.4)
    assert time.monotonic() - began < 4  # 0.4 s, on a machine with much else to do
    assert error.message.endswith("sent no answer within 0.4 s")
    assert "--patience" in str(error.remedy)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (body(b""), "answered with an empty reply"),
        (body(b" \n"), "answered with an empty reply"),
        (body(PAGE), "answered with a web page ('Sign in &mdash; Proxy') instead of JSON"),
        (body(b"<html>x"), "answered with a web page instead of JSON"),
        (body(b'{"choices": ['), "answered no JSON object: '{\"choices\": ['"),
        (body(b"null"), "answered no JSON object: 'null'"),
        (body(b"zz\r\n{}", b"Transfer-Encoding: chunked"), "broke off in the middle of its reply"),
        (body(b"{", b"Content-Length: 9"), "broke off in the middle of its reply"),
        (b"", "closed the connection without a reply"),
        (b"SSH-2.0-OpenSSH_9\r\n", "answered something that is no HTTP (SSH-2.0-OpenSSH_9)"),
        (body(b"no", b"Content-Encoding: gzip"), "the reply says gzip and cannot be unpacked"),
        (body(b"no", b"Content-Encoding: br"), "packed as 'br', which was not asked for"),
        (b"HTTP/1.1 502 Bad\r\n\r\n" + PAGE, "answered 502: a web page ('Sign in &mdash; Proxy')"),
        (b"HTTP/1.1 404 No\r\n\r\n" + PAGE, "answered 404: a web page ('Sign in &mdash; Proxy')"),
        (b"HTTP/1.1 405 No\r\n\r\n", "answered 405: nothing more"),
        (b"HTTP/1.1 307 Go\r\nLocation: https://u:pw@b/v1?key=1\r\n\r\n", "moved to https://b/v1"),
    ],
)
def test_what_is_no_answer_is_told_in_one_sentence(raw: Raw, sent: bytes, said: str) -> None:
    raw.sent = sent
    error = problem(raw.url, timeout_s=10)
    assert error.message.endswith(said)
    assert error.remedy


def test_what_is_packed_without_being_asked_for_is_unpacked(raw: Raw) -> None:
    raw.sent = body(gzip.compress(CHAT), b"Content-Encoding: gzip")
    (answers,) = Endpoint(raw.url, "m", tries=1).answer(["a"], ONE)
    assert answers.texts == ("SELECT 1",)


def test_a_small_reply_that_unpacks_to_a_huge_one_is_refused(raw: Raw) -> None:
    raw.sent = body(gzip.compress(b" " * (33 << 20)), b"Content-Encoding: gzip")
    assert problem(raw.url).message.endswith("the reply has more than 32 MiB")


def refusing(words: Any, *names: str) -> Any:
    """A server that refuses these settings one after the other, as hosted ones do."""

    def reply(body: Any) -> tuple[int, str]:
        for name in names:
            if name in body:
                wanted = "Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                said = f"Unsupported parameter: '{name}' is not supported with this model. {wanted}"
                return 400, json.dumps({"error": {"message": said, "param": name}})
        return 200, words.chat("name FROM shop; done", "SELECT 2")

    return reply


def test_settings_that_a_model_refuses_are_left_out_once_and_for_all(
    server: Any, words: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply = refusing(words, "max_tokens", "temperature", "top_p", "stop", "seed")
    sampling = Sampling(temperature=0.5, stop=(";",), seed=3)
    model = Endpoint(server.url, "m", concurrency=1)
    with caplog.at_level(logging.WARNING):
        found = model.answer(["a", "b", "c"], sampling)
    assert [one.texts for one in found] == [("name FROM shop",)] * 3
    assert len(server.bodies) == 5 + 3
    assert set(server.bodies[-1]) == {"model", "messages", "max_completion_tokens"}
    (record,) = caplog.records
    assert "it takes only its own temperature (mostly 1), so none is sent" in record.message
    assert "it is asked with max_completion_tokens" in record.message


@pytest.mark.parametrize(
    ("said", "left_out"),
    [
        ("Unsupported value: 'temperature' does not support 0.0 with this model. Only the default "
         "(1) value is supported.", "temperature"),
        ("temperature: only 1 supported", "temperature"),
        ("`temperature` is deprecated for this model.", "temperature"),
        ("Extra inputs are not permitted: body.top_p", "top_p"),
        ("Unrecognized request argument supplied: stop", "stop"),
    ],
)  # fmt: skip
def test_refusals_are_understood_from_their_words(
    server: Any, words: Any, said: str, left_out: str
) -> None:
    def reply(body: Any) -> tuple[int, str]:
        if left_out in body:
            return 400, json.dumps({"error": {"message": said}})
        return 200, words.chat("SELECT 1")

    server.reply = reply
    (answers,) = Endpoint(server.url, "m").answer(["a"], Sampling(stop=(";",)))
    assert answers.texts == ("SELECT 1",)
    assert len(server.bodies) == 2


def test_several_answers_that_are_refused_are_asked_for_one_by_one(server: Any, words: Any) -> None:
    server.reply = refusing(words, "n")
    (answers,) = Endpoint(server.url, "m").answer(["a"], Sampling(answers=2, temperature=1.0))
    assert len(answers.texts) == 2
    assert [body.get("n") for body in server.bodies] == [2, None, None]


SECRET = "sk-verysecret"


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}@host/v1",
        f"http://{SECRET}@host/v1",
        f"htp://user:{SECRET}@host/v1",
        f"user:{SECRET}@host/v1",
        f"http://user:{SECRET}@host:port/v1",
        f"http://user:{SECRET}@",
        f"http://host:x/v1?api_key={SECRET}",
        f"host/v1?api_key={SECRET}",
        f"http:///v1?api_key={SECRET}#{SECRET}",
        f"http://höst/v1?api_key={SECRET}",
    ],
)
def test_a_key_in_an_address_that_is_refused_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Endpoint(url, "m")
    assert SECRET not in f"{caught.value.message} {caught.value.remedy}"
    assert SECRET not in shown(url)


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_key_in_a_query_is_sent_and_never_shown(
    server: Any, status: int, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply = lambda _: (status, f"no such path {server.paths[-1]}")
    cache = tmp_path / "kept.jsonl"
    url = f"{server.url}?api_key={SECRET}"
    with caplog.at_level(logging.DEBUG):
        error = problem(url, cache=cache)
    assert SECRET in server.paths[0]
    assert SECRET not in f"{error.message} {error.remedy} {caplog.text}"
    server.reply = lambda _: (200, CHAT.decode())
    Endpoint(url, "m", cache=cache).answer(["a"], ONE)
    assert SECRET not in cache.read_text()
