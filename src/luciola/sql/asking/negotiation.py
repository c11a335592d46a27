"""Finding out which settings a server understands, once for all prompts and from any thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from luciola.http.post import Received
from luciola.sql.asking.pace import rest
from luciola.sql.asking.wire import TOO_LONG, Dialect, Reply

log = logging.getLogger(__name__)

UNACCEPTABLE = (400, 413, 422)
"""Statuses of a request that may be understood in another form."""
WAKE_S = 0.2
"""How soon who waits for another one's request notices that the work is given up."""

Send = Callable[[Dialect], Received | Reply]


class Negotiation:
    """The dialect that a server was found to understand.

    Many prompts may meet the same refusal at a time. One of them finds out what the server
    understands; the others wait for it, and then ask in the same way.

    Args:
        server: its address as it may be shown.
    """

    def __init__(self, server: str) -> None:
        self.server = server
        self.dialect = Dialect()
        self._known = threading.Lock()
        self._learning = threading.Lock()

    def ask(self, send: Send, answers: int, stop: threading.Event) -> Received | Reply:
        """What a request brings in a dialect that is understood, or the last refusal.

        Args:
            send: makes the request in a dialect.
            answers: how many it asks for.

        Raises: Stopped when `stop` is set.
        """
        while True:
            dialect = self.dialect
            received = send(dialect)
            if isinstance(received, Reply) or _simpler(dialect, received, answers) is None:
                return received
            with self._alone(stop):
                if self.dialect == dialect:  # else somebody has learned meanwhile
                    return self._learned(send, dialect, received, answers)

    def gives_one_answer(self) -> None:
        """Remember that the server gives one answer where several are asked for."""
        with self._known:
            self.dialect = replace(self.dialect, several=False)

    def _learned(
        self, send: Send, dialect: Dialect, received: Received | Reply, answers: int
    ) -> Received | Reply:
        """Ask in simpler and simpler dialects; one that leads to a text is kept."""
        while isinstance(received, Received):
            simpler = _simpler(dialect, received, answers)
            if simpler is None:
                return received
            dialect, received = simpler, send(simpler)
        if received.texts:
            self._keep(dialect)
        return received

    def _keep(self, dialect: Dialect) -> None:
        with self._known:
            said = dialect.differs(self.dialect)
            self.dialect = dialect
        if said:
            log.warning("%s: %s", self.server, "; ".join(said))

    @contextmanager
    def _alone(self, stop: threading.Event) -> Iterator[None]:
        """One thread at a time. Raises: Stopped when `stop` is set meanwhile."""
        while not self._learning.acquire(timeout=WAKE_S):
            rest(0, stop)
        try:
            yield
        finally:
            self._learning.release()


def is_too_long(text: str) -> bool:
    """Whether a refusal is about the prompt's length."""
    return TOO_LONG.search(text) is not None


def _simpler(dialect: Dialect, received: Received, answers: int) -> Dialect | None:
    """A dialect in which a request that was refused for its form may be understood."""
    if received.status not in UNACCEPTABLE or is_too_long(received.text):
        return None
    return dialect.without(received.text, answers if dialect.several else 1)
