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
from http.client import HTTPException, IncompleteRead, RemoteDisconnected

from luciola.errors import EndpointError
from luciola.seeds import seed
from luciola.sql.asking.address import secrets_in, shown
from luciola.sql.asking.model import Sampling
from luciola.sql.asking.pace import Pace, rest
from luciola.sql.asking.post import Received, post
from luciola.sql.asking.wire import (
    TOO_LONG,
    Dialect,
    Reply,
    body_of,
    code_of,
    cut,
    message_of,
    read_reply,
)

log = logging.getLogger(__name__)

AGAIN = (408, 425, 429)
UNACCEPTABLE = (400, 413, 422)
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
        for secret in (self.key, *secrets_in(self.url)):
            text = text.replace(secret, "…") if secret else text
        return text


class Exchange:
    """Asks a server; what it learns of its dialect holds for all prompts, from any thread."""

    def __init__(self, server: Server, pace: Pace) -> None:
        self.server = server
        self.pace = pace
        self.dialect = Dialect()
        self._lock = threading.Lock()
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
                self.dialect = replace(self.dialect, several=False)
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
        """What one request brings, in a dialect that the server understands.

        A dialect is kept for later prompts only where it was the way to a reply.
        """
        dialect = self.dialect
        while True:
            wanted = answers if dialect.several else 1
            body = body_of(
                self.server.model, prompt, sampling, dialect, chat=self.server.chat, answers=wanted
            )
            received = self._posted(body, prompt, sampling, wanted, stop)
            if isinstance(received, Reply):
                if received.texts:
                    self._learn(dialect)
                return received if dialect.stops else _stopped(received, sampling.stop)
            other = _simpler(dialect, received, wanted)
            if other is None:
                return self._read(received)
            dialect = other

    def _learn(self, dialect: Dialect) -> None:
        """Use a dialect that was understood, and say once what is different in it."""
        with self._lock:
            said = dialect.differs(self.dialect)
            self.dialect = dialect
        if said:
            log.warning("%s: %s", shown(self.server.url), "; ".join(said))

    def _posted(
        self, body: bytes, prompt: str, sampling: Sampling, wanted: int, stop: threading.Event
    ) -> Received | Reply:
        """What the server sent, or a reply that says why nothing came."""
        guess = len(prompt) // LETTERS_PER_TOKEN + wanted * sampling.max_tokens
        self.pace.wait_for_turn(guess, stop)
        server = self.server
        try:
            received = post(server.url, body, server.key, timeout_s=server.timeout_s)
        except (OSError, HTTPException, UnicodeError) as error:  # the last from a host's name
            reason = getattr(error, "reason", None) or error
            if isinstance(reason, TimeoutError):
                return Reply(problem=f"sent no answer within {server.timeout_s:g} s", remedy=LONGER)
            return Reply(problem=server.hiding_key(_broken(error, reason)))
        received = replace(received, text=server.hiding_key(received.text))
        if received.status == 200:
            reply = read_reply(received.text, chat=server.chat)
            if reply.counted:
                self.pace.correct(guess, reply.prompt_tokens + reply.answer_tokens)
            cut = tuple(place for place in reply.cut if place < wanted)
            return replace(reply, texts=reply.texts[:wanted], cut=cut)
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
        too_long = _is_too_long(received.text)
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


def _broken(error: Exception, reason: object) -> str:
    """What went wrong with a connection, in a sentence."""
    if isinstance(error, IncompleteRead):
        return "broke off in the middle of its reply"
    if isinstance(error, RemoteDisconnected):
        return "closed the connection without a reply"
    if isinstance(error, HTTPException):
        return f"answered something that is no HTTP ({cut(str(error)) or type(error).__name__})"
    words = getattr(reason, "strerror", None) or reason or type(error).__name__
    if str(words).startswith("the reply "):
        return f"cannot be understood: {words}"
    return f"cannot be reached: {words}"


def _stopped(reply: Reply, stop: Sequence[str]) -> Reply:
    """The texts up to what would have ended them."""
    texts = tuple(_before(text, stop) for text in reply.texts)
    return replace(reply, texts=texts)


def _before(text: str, stop: Sequence[str]) -> str:
    return min((text.split(end, 1)[0] for end in stop), key=len, default=text)


def _simpler(dialect: Dialect, received: Received, wanted: int) -> Dialect | None:
    """A dialect in which a request that was refused for its form may be understood."""
    if received.status not in UNACCEPTABLE or _is_too_long(received.text):
        return None
    return dialect.without(received.text, wanted)


def _is_too_long(text: str) -> bool:
    return TOO_LONG.search(text) is not None
