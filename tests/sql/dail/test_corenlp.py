"""The CoreNLP client against a server that answers in CoreNLP's own form."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner

from luciola.cli.sql import app
from luciola.errors import ConfigError, EndpointError
from luciola.sql.dail.corenlp import CoreNlp
from luciola.sql.dail.databases import Databases
from small_datasets import ASKED, database, write

LEMMAS = {"Towns": "city", "were": "be", "Cities": "city"}


def token(index: int, word: str) -> dict[str, Any]:
    """As the server writes one: brackets and quotes are changed in `word`, not in originalText."""
    changed = {"(": "-LRB-", '"': "''"}.get(word, word)
    lemma = LEMMAS.get(word, changed)
    return {"index": index, "word": changed, "originalText": word, "lemma": lemma, "pos": "NN"}


class Server(ThreadingHTTPServer):
    """Splits at blanks, and sentences after a full stop; `reply` is sent instead where it is."""

    asked: list[tuple[dict[str, Any], str]]
    reply: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
        properties = json.loads(parse_qs(urlsplit(self.path).query)["properties"][0])
        self.server.asked.append((properties, text))
        status, body = self.server.reply or (200, json.dumps(annotated(text)).encode())
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""


def annotated(text: str) -> dict[str, Any]:
    sentences = [part.split() for part in text.replace(" .", " .|").split("|") if part.strip()]
    return {
        "sentences": [
            {"index": number, "tokens": [token(i, word) for i, word in enumerate(words, 1)]}
            for number, words in enumerate(sentences)
        ]
    }


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.asked = []
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_words_are_as_written_and_lemmas_the_servers_in_lower_case(server: Server) -> None:
    words, lemmas = CoreNlp(server.url)("Towns ( were big .")
    assert words == ("towns", "(", "were", "big", ".")
    assert lemmas == ("city", "-lrb-", "be", "big", ".")
    ((properties, text),) = server.asked
    assert properties == {"annotators": "tokenize,ssplit,pos,lemma", "outputFormat": "json"}
    assert text == "Towns ( were big ."


def test_sentences_keep_their_order(server: Server) -> None:
    reply = annotated("one two . three four .")
    assert len(reply["sentences"]) == 2
    reply["sentences"].reverse()
    server.reply = (200, json.dumps(reply).encode())
    assert CoreNlp(server.url)("any")[0] == ("one", "two", ".", "three", "four", ".")


def test_each_text_is_asked_for_once_and_blanks_never(server: Server) -> None:
    analyse = CoreNlp(server.url + "/")
    assert analyse("城市 é") == analyse("城市 é")
    assert analyse(" ") == ((), ())
    assert [text for _, text in server.asked] == ["城市 é"]


def test_masks_are_made_of_the_servers_words(server: Server, tmp_path: Path) -> None:
    """`Towns` is no city by our rules, and is one by this server."""
    database(tmp_path / "shop.sqlite")
    assert Databases(tmp_path).masked("shop", "Towns in Lyon ?") == "towns in <unk> ?"
    asking = Databases(tmp_path, analyse=CoreNlp(server.url))
    assert asking.masked("shop", "Towns in Lyon ?") == "<mask> in <unk> ?"


def test_the_command_asks_the_server(server: Server, tmp_path: Path) -> None:
    database(tmp_path / "shop.sqlite")
    pool = write(tmp_path / "pool.json", [{**ASKED, "question": "Towns ?"}])
    asked = write(tmp_path / "asked.json", [ASKED])
    files = ["--questions", str(asked), "--pool", str(pool), "--out", str(tmp_path / "p.jsonl")]
    options = ["--databases", str(tmp_path), "--selection", "MQS_S", "--corenlp", server.url]
    assert CliRunner().invoke(app, ["prompts", *files, *options]).exit_code == 0
    assert {"Towns ?", "Which cities ?", "city"} <= {text for _, text in server.asked}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"java.lang.RuntimeException: no models", "status 500: java.lang.Runtime"),
        (200, b"<html>", "answers no sentences with tokens and lemmas: '<html>'"),
        (200, b'{"sentences": [{"tokens": [{"word": "a"}]}]}', "answers no sentences"),
        (200, b"[]", "answers no sentences"),
        (200, b"", "answers no sentences"),
    ],
)
def test_a_server_that_answers_something_else(
    server: Server, status: int, body: bytes, said: str
) -> None:
    server.reply = (status, body)
    with pytest.raises(EndpointError, match=said):
        CoreNlp(server.url)("text")


def test_no_server_at_all() -> None:
    with pytest.raises(EndpointError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        CoreNlp("http://127.0.0.1:9")("text")
    for url in ("localhost:9000", "http://[", "http://localhost:x"):
        with pytest.raises(ConfigError, match="is no address of a CoreNLP server"):
            CoreNlp(url)
