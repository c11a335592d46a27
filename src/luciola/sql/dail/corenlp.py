"""Words and lemmas from a running Stanford CoreNLP server, which the original uses.

    java -mx4g -cp "*" edu.stanford.nlp.pipeline.StanfordCoreNLPServer -port 9000

With it, masked questions and so MQS_S and DAIL_S are those of the original; its version was
2018-10-05. The text of each request goes to that server, and nowhere else.

Source: https://stanfordnlp.github.io/CoreNLP/corenlp-server.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from luciola.errors import ConfigError, EndpointError
from luciola.sql.dail.lemmas import Analysis

ANNOTATORS = "tokenize,ssplit,pos,lemma"
"""`lemma` needs `pos`; the original leaves it to the server to add."""
TIMEOUT_S = 60.0
"""The first request waits until the server has loaded its models."""
REMEDY = (
    'Start it: java -mx4g -cp "*" edu.stanford.nlp.pipeline.StanfordCoreNLPServer -port 9000'
    " (or leave --corenlp out)."
)


class CoreNlp:
    """A server's words and lemmas; each text is asked for once.

    Args:
        url: such as http://localhost:9000.
        timeout_s: seconds to wait for one reply.

    Raises: ConfigError where `url` is no address of a server.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        host = _host(url)
        if host is None:
            raise ConfigError(
                f"{url!r} is no address of a CoreNLP server",
                remedy="Give one such as http://localhost:9000.",
            )
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._known: dict[str, Analysis] = {}
        here = host in ("localhost", "127.0.0.1", "::1")
        self._opener: OpenerDirector = build_opener(*([ProxyHandler({})] if here else []))

    def __call__(self, text: str) -> Analysis:
        """Words as written and their lemmas, both in lower case, in the order of the text.

        Raises: EndpointError where the server cannot be reached, or answers something else.
        """
        if not text.strip():
            return (), ()
        if text not in self._known:
            self._known[text] = self._analysis(self._asked(text))
        return self._known[text]

    def _asked(self, text: str) -> str:
        properties = json.dumps({"annotators": ANNOTATORS, "outputFormat": "json"})
        request = Request(
            f"{self.url}/?properties={quote(properties)}",
            text.encode("utf-8", "replace"),
            {"Content-Type": "text/plain; charset=utf-8"},
        )
        try:
            with self._opener.open(request, timeout=self.timeout_s) as response:
                received: bytes = response.read()
        except HTTPError as error:
            with error:
                said = " ".join(error.read(200).decode("utf-8", "replace").split())
            raise EndpointError(
                f"the CoreNLP server {self.url} refused a text with status {error.code}: {said}",
                remedy=REMEDY,
            ) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise EndpointError(
                f"the CoreNLP server {self.url} cannot be reached: {reason}", remedy=REMEDY
            ) from None
        return received.decode("utf-8", "replace")

    def _analysis(self, reply: str) -> Analysis:
        try:
            tokens = list(_tokens(json.loads(reply)))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EndpointError(
                f"{self.url} answers no sentences with tokens and lemmas: {reply[:100]!r}",
                remedy="Check that a CoreNLP server runs there, with its English models.",
            ) from None
        return tuple(word for word, _ in tokens), tuple(lemma for _, lemma in tokens)


def _host(url: str) -> str | None:
    """The host's name; None where `url` is no address."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # a ValueError where it is no number
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def _tokens(reply: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Sentences and tokens come with numbers, which decide the order; without, they stand in it."""
    for sentence in _ordered(reply["sentences"]):
        for token in _ordered(sentence["tokens"]):
            yield token["originalText"].lower(), token["lemma"].lower()


def _ordered(parts: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(parts, key=lambda part: part.get("index", 0))
