"""One prompt and what it takes to have it answered: turns, tries, pauses, dialects.

Tried again: statuses 408, 425, 429 and all from 500 on, connections that are refused, reset or time
out, and replies that are nonsense. A prompt that is too long, or that the server does not accept,
fails alone. Ended at once: what would fail for every prompt.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from luciola.errors import EndpointError
from luciola.http.address import hidden, secrets_in, shown
from luciola.http.post import NoReplyError, Received, post
from luciola.http.words import message_of
from luciola.seeds import seed
from luciola.sql.asking.model import Sampling
from luciola.sql.asking.negotiation import UNACCEPTABLE, Negotiation, is_too_long
from luciola.sql.asking.pace import Pace, rest
from luciola.sql.asking.wire import (
    Dialect,
    Reply,
    body_of,
    code_of,
    read_reply,
)

log = logging.getLogger(__name__)

AGAIN = (408, 425, 429)
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
LONGEST_WISH_S = 600.0
"""A server that wants to be left alone for longer ends the run."""
SAY_EVERY_S = 10.0
LETTERS_PER_TOKEN = 3
"""Guess for rate limits, before the server has counted."""
CHECK = "Look into the server's log, and check the address and the model's name."
SLOWER = (
    "Ask for less at a time: a lower --concurrency (8 if not given; concurrency= in a study), or "
    "--requests-per-minute N and --tokens-per-minute N, which its owner tells."
)
LONGER = (
    "If it answers at all, give it more time with --patience SECONDS (120 if not given), or ask "
    "for less at a time with --concurrency."
)
RUNNING = "Check that the server is running, and the address."
TOO_MANY = 429


@dataclass(frozen=True)
class Server:
    """Who is asked.

    Args:
        url: where requests go.
        model: the name that it knows the model by.
        chat: a prompt is a user's message; else it is text that goes on.
        key: never shown.
        key_variable: where the key came from.
        tries: of each request that brings nothing.
        timeout_s: of each request.
    """

    url: str
    model: str
    chat: bool
    key: str = field(repr=False)
    key_variable: str
    tries: int
    timeout_s: float

    def hiding_key(self, text: str) -> str:
        """A text that may be shown."""
        return hidden(text, (self.key, *secrets_in(self.url)))


class Exchange:
    """Asks a server; what it learns of its dialect holds for all prompts, from any thread."""

    def __init__(self, server: Server, pace: Pace) -> None:
        self.server = server
        self.pace = pace
        self.negotiation = Negotiation(shown(server.url))
        self._said = -SAY_EVERY_S

    def ask(
        self, prompt: str, sampling: Sampling, stop: threading.Event, *, before: int = 0
    ) -> Reply:
        """The answers to a prompt of which `before` are there already.

        Raises: EndpointError for what would fail for every prompt; Stopped when `stop` is set.
        """
        found = Reply()
        while missing := sampling.answers - before - len(found.texts):
            place = before + len(found.texts)
            reply = self._persist(prompt, sampling, missing, place, stop)
            if 0 < len(reply.texts) < missing and not reply.problem:
                self.negotiation.gives_one_answer()
            found = found.followed_by(reply)
            if not reply.texts:
                break
        return found

    def _persist(
        self, prompt: str, sampling: Sampling, answers: int, place: int, stop: threading.Event
    ) -> Reply:
        """The first reply with a text, or what the last of the tries brought."""
        found = Reply()
        drawn = replace(sampling, seed=sampling.seed + place)
        for number in range(1, self.server.tries + 1):
            found = found.followed_by(self._once(prompt, drawn, answers, stop))
            if found.texts or found.is_final:
                return found
            if number < self.server.tries:
                self._pause(found, prompt, number, stop)
        times = f" ({self.server.tries} times)" if self.server.tries > 1 else ""
        return replace(found, problem=found.problem + times)

    def _once(self, prompt: str, sampling: Sampling, answers: int, stop: threading.Event) -> Reply:
        """What one request brings, in a dialect that the server understands."""

        def send(dialect: Dialect) -> Received | Reply:
            return self._in(dialect, prompt, sampling, answers, stop)

        received = self.negotiation.ask(send, answers, stop)
        return received if isinstance(received, Reply) else self._read(received)

    def _in(
        self,
        dialect: Dialect,
        prompt: str,
        sampling: Sampling,
        answers: int,
        stop: threading.Event,
    ) -> Received | Reply:
        """What one request in a dialect brings: a reply, or what the server sent instead."""
        wanted = answers if dialect.several else 1
        server = self.server
        body = body_of(server.model, prompt, sampling, dialect, chat=server.chat, answers=wanted)
        received = self._posted(body, prompt, sampling, wanted, stop)
        if isinstance(received, Reply) and not dialect.stops:
            return _stopped(received, sampling.stop)
        return received

    def _posted(
        self, body: bytes, prompt: str, sampling: Sampling, wanted: int, stop: threading.Event
    ) -> Received | Reply:
        """What the server sent, or a reply that says why nothing came."""
        guess = len(prompt) // LETTERS_PER_TOKEN + wanted * sampling.max_tokens
        self.pace.wait_for_turn(guess, stop)
        server = self.server
        try:
            received = post(server.url, body, key=server.key, timeout_s=server.timeout_s)
        except NoReplyError as error:
            return Reply(problem=error.problem, remedy=LONGER if error.timed_out else RUNNING)
        if received.status == 200:
            reply = read_reply(received.text, chat=server.chat)
            if reply.counted:
                self.pace.correct(guess, reply.prompt_tokens + reply.answer_tokens)
            cut = tuple(place for place in reply.cut if place < wanted)
            problem = server.hiding_key(reply.problem)
            return replace(reply, texts=reply.texts[:wanted], cut=cut, problem=problem)
        return received

    def _read(self, received: Received) -> Reply:
        """A refusal as a reply. Raises: EndpointError where it holds for every prompt."""
        said = message_of(received.text)
        problem = f"answered {received.status}: {said}"
        words = code_of(received.text)
        if received.status in AGAIN or received.status >= 500:
            if "insufficient_quota" in words:
                raise self._ended(problem, "Its account has no more money; look there.")
            remedy = SLOWER if received.status == TOO_MANY else ""
            return Reply(problem=problem, pause_s=received.pause_s, remedy=remedy)
        if received.status not in UNACCEPTABLE:
            raise self._refused(received, problem)
        too_long = is_too_long(received.text)
        if too_long:
            problem = f"the prompt is too long: {said}"
        return Reply(problem=problem, is_final=True, is_prompts=too_long)

    def _refused(self, received: Received, problem: str) -> EndpointError:
        """The error for a status that every prompt would get."""
        server, status = self.server, received.status
        if status in (401, 403):
            used = "was sent" if server.key else "is not set"
            return self._ended(
                problem, f"The key is read from {server.key_variable}, which {used}."
            )
        if status == 404:
            return self._ended(problem, f"It knows no model {server.model!r}, or no such address.")
        if 300 <= status < 400:
            return self._ended(f"moved to {shown(received.moved_to)}", "Give that address.")
        return self._ended(problem, CHECK)

    def _ended(self, problem: str, remedy: str) -> EndpointError:
        return EndpointError(f"{shown(self.server.url)} {problem}", remedy=remedy)

    def _say(self, problem: str) -> None:
        """Tell of a problem that may pass, now and then: many prompts have the same one."""
        now = time.monotonic()
        level = logging.INFO if now - self._said >= SAY_EVERY_S else logging.DEBUG
        self._said = now if level == logging.INFO else self._said
        log.log(level, "%s %s; it is asked again", shown(self.server.url), problem)

    def _pause(self, found: Reply, prompt: str, number: int, stop: threading.Event) -> None:
        """Wait before the next try: as long as the server says, or longer each time.

        Raises: EndpointError where the server wants to be left alone for very long.
        """
        self._say(found.problem)
        wish = found.pause_s or 0.0
        if wish > LONGEST_WISH_S:
            raise self._ended(found.problem, f"It answers again in {wish:,.0f} s.")
        self.pace.pause(wish)
        share = 0.5 + seed("back-off", prompt, number) / 2**63  # not all at once
        rest(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (number - 1)) * share, stop)


def _stopped(reply: Reply, stop: Sequence[str]) -> Reply:
    """The texts up to what would have ended them."""
    texts = tuple(_before(text, stop) for text in reply.texts)
    return replace(reply, texts=texts)


def _before(text: str, stop: Sequence[str]) -> str:
    return min((text.split(end, 1)[0] for end in stop), key=len, default=text)
