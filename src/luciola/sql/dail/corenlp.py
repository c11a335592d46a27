"""Words and lemmas from a running Stanford CoreNLP server, which the original uses.

    java -mx4g -cp "*" edu.stanford.nlp.pipeline.StanfordCoreNLPServer -port 9000

With it, masked questions and so MQS_S and DAIL_S are those of the original; its version was
2018-10-05. The text of each request goes to that server, and nowhere else.

Source: https://stanfordnlp.github.io/CoreNLP/corenlp-server.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from luciola.errors import EndpointError
from luciola.http.address import checked
from luciola.http.post import NoReplyError, post
from luciola.http.words import cut, message_of
from luciola.sql.dail.lemmas import Analysis

ANNOTATORS = "tokenize,ssplit,pos,lemma"
"""`lemma` needs `pos`; the original leaves it to the server to add."""
PLAIN = "text/plain; charset=utf-8"
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
        timeout_s: of each request, to its last byte.

    Raises: ConfigError where `url` is no address of a server.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = checked(
            url,
            of="a CoreNLP server",
            remedy="Give one such as http://localhost:9000.",
            password="Start it without one, or reach it through a tunnel of your own.",
        )
        self.url = parts._replace(query="", fragment="").geturl().rstrip("/")
        self.timeout_s = timeout_s
        self._known: dict[str, Analysis] = {}

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
        place = f"{self.url}/?properties={quote(properties)}"
        body = text.encode("utf-8", "replace")
        try:
            received = post(place, body, content_type=PLAIN, timeout_s=self.timeout_s)
        except NoReplyError as error:
            problem = f"the CoreNLP server {self.url} {error.problem}"
            raise EndpointError(problem, remedy=REMEDY) from None
        if received.status != 200:
            said = cut(message_of(received.text), 200)
            raise EndpointError(
                f"the CoreNLP server {self.url} refused a text with status {received.status}: "
                f"{said}",
                remedy=REMEDY,
            )
        return received.text

    def _analysis(self, reply: str) -> Analysis:
        try:
            tokens = list(_tokens(json.loads(reply)))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EndpointError(
                f"{self.url} answers no sentences with tokens and lemmas: {cut(reply, 100)!r}",
                remedy="Check that a CoreNLP server runs there, with its English models.",
            ) from None
        return tuple(word for word, _ in tokens), tuple(lemma for _, lemma in tokens)


def _tokens(reply: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Sentences and tokens come with numbers, which decide the order; without, they stand in it."""
    for sentence in _ordered(reply["sentences"]):
        for token in _ordered(sentence["tokens"]):
            yield token["originalText"].lower(), token["lemma"].lower()


def _ordered(parts: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(parts, key=lambda part: part.get("index", 0))
