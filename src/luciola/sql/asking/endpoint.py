"""A language model behind an OpenAI-compatible server: hosted, vLLM, llama.cpp, Ollama, TGI.

Standard library only. What is left out: streaming, system messages, tools.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from luciola.errors import ConfigError, EndpointError
from luciola.http.address import shown
from luciola.sql.asking.address import key_from, place_of
from luciola.sql.asking.cache import AnswerCache, Kept, address, in_order
from luciola.sql.asking.costs import Costs, Prices, costs_of
from luciola.sql.asking.crew import results
from luciola.sql.asking.exchange import CHECK, Exchange, Server
from luciola.sql.asking.model import Answers, Progress, Sampling
from luciola.sql.asking.pace import Pace
from luciola.sql.asking.wire import Reply

AT_FIRST, LATER = 3, 8
"""Prompts that may fail one after the other, at least, before the run is given up: where none was
answered before, and where some were."""


class Endpoint:
    """A model behind a server; `luciola.sql.asking.model.LanguageModel`.

    Args:
        url: of the server up to `/v1`, or with `/chat/completions` or `/completions`.
        model: the name by which the server knows it.
        key_variable: of the environment; nothing is sent where it is not set.
        chat: send each prompt as a user's message, without a system message; else as text that
            the model goes on from.
        concurrency: requests under way at a time.
        tries: of each request that brings nothing.
        timeout_s: of each request, to its last byte.
        requests_per_minute, tokens_per_minute: None: as fast as the server answers.
        prices: money per million tokens read and written.
        cache: file in which answers are kept; what is there is not asked again.

    Raises: ConfigError for an address or a setting that cannot be meant.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key_variable: str = "OPENAI_API_KEY",
        chat: bool = True,
        concurrency: int = 8,
        tries: int = 6,
        timeout_s: float = 120.0,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        prices: tuple[float, float] | None = None,
        cache: Path | None = None,
    ) -> None:
        _check_positive(concurrency=concurrency, tries=tries, timeout_s=timeout_s)
        _check_positive(requests_per_minute=requests_per_minute or 1)
        _check_positive(tokens_per_minute=tokens_per_minute or 1)
        place = place_of(url, chat=chat)
        key = key_from(key_variable, place)
        server = Server(place, model, chat, key, key_variable, tries, timeout_s)
        self.server = server
        self.concurrency = concurrency
        self.prices = Prices(*prices) if prices else None
        self.cache = AnswerCache(cache) if cache else None
        self.spent = Costs()
        """All that was asked so far."""
        self._exchange = Exchange(server, Pace(requests_per_minute, tokens_per_minute))

    @property
    def name(self) -> str:
        """What the server calls the model."""
        return self.server.model

    def answer(
        self, prompts: Sequence[str], sampling: Sampling, progress: Progress | None = None
    ) -> list[Answers]:
        """One `Answers` for each prompt, in order; equal prompts are asked once.

        Raises: EndpointError where the server refuses for good, or fails for every prompt.
        """
        different = list(dict.fromkeys(prompts))
        times = Counter(prompts)
        done = 0
        found: dict[str, Answers] = {}
        row = Row(self, len(different))
        stop = threading.Event()
        ask = partial(self._ask, sampling=sampling, stop=stop)
        try:
            for index, (answers, reply) in results(
                ask, different, parallel=self.concurrency, stop=stop
            ):
                found[different[index]] = answers
                row.add(answers, reply)
                done += times[different[index]]
                if progress is not None:
                    progress(done, len(prompts))
        finally:
            self.spent += costs_of(found.values(), self.prices)
        return in_order(prompts, found)

    def _ask(self, prompt: str, sampling: Sampling, stop: threading.Event) -> tuple[Answers, Reply]:
        """A prompt's answers, and the last of what the server said; nothing of what is kept."""
        key = address(f"{self.server.url} {self.server.model}", prompt, sampling)
        kept = self.cache.find(key) if self.cache is not None else None
        if kept and len(kept.texts) >= sampling.answers:
            return kept.first(sampling.answers).answers(cached=True), Reply()
        before = kept or Kept((), 0, 0)
        reply = self._exchange.ask(prompt, sampling, stop, before=len(before.texts))
        counts = reply.prompt_tokens, reply.answer_tokens, reply.counted
        new = Kept(reply.texts, *counts, reply.cut)
        if self.cache is not None and new.texts:
            known = self.cache.keep(key, new, start=len(before.texts))
            new = known.first(len(before.texts) + len(new.texts)).after(len(before.texts))
        return _joined(before, new, reply), reply


class Row:
    """Watches for a server that fails for everything.

    Args:
        endpoint: whose server it is.
        prompts: that will be asked.
    """

    def __init__(self, endpoint: Endpoint, prompts: int) -> None:
        self.endpoint = endpoint
        self.left = prompts
        self.answered = self.failed = 0

    def add(self, answers: Answers, reply: Reply) -> None:
        """Raises: EndpointError where nothing works any more, or where nothing ever did."""
        self.left -= 1
        self.answered += bool(answers.texts)
        self.failed = 0 if answers.texts or reply.is_prompts else self.failed + 1
        nothing_worked = self.failed and not self.left and not self.answered
        if self.failed < self._limit() and not nothing_worked:
            return
        said = f"{self.failed} prompts in a row failed, the last: " if self.failed > 1 else ""
        kept = self.answered and self.endpoint.cache is not None
        remedy = (reply.remedy or CHECK) + (" What was answered is kept." if kept else "")
        where = shown(self.endpoint.server.url)
        raise EndpointError(f"{where}: {said}{answers.error}", remedy=remedy)

    def _limit(self) -> int:
        parallel = self.endpoint.concurrency
        return max(LATER, 2 * parallel) if self.answered else max(AT_FIRST, parallel)


def _joined(before: Kept, new: Kept, reply: Reply) -> Answers:
    """Texts from before and new ones; the tokens are the new ones'."""
    texts = before.texts + new.texts
    return Answers(
        texts,
        new.prompt_tokens,
        new.answer_tokens,
        error="" if texts else reply.problem,
        requests=reply.requests,
        counted=new.counted,
        cut=before.followed_by(new).cut,
    )


def _check_positive(**settings: float) -> None:
    for name, value in settings.items():
        if value <= 0:
            raise ConfigError(f"{name} must be positive, got {value}")
