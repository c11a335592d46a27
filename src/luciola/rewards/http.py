"""A server as a reward: prompts and answers go there as JSON, scores come back.

    → POST {"prompts": ["…", …], "answers": ["…", …]}
    ← {"scores": [0.5, …]}

Whoever needs headers or another form writes an asynchronous function.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from luciola.errors import RewardError
from luciola.http.address import checked, hidden, secrets_in
from luciola.http.address import shown as shown_address
from luciola.http.post import NoReplyError, Received, post
from luciola.http.words import cut, message_of, read_json
from luciola.rewards.background import map_parallel
from luciola.rewards.checking import shown
from luciola.types import Answered

AGAIN = (408, 429, 500, 502, 503, 504)
"""HTTP statuses after which the same request may succeed."""
LONGEST_PAUSE_S = 60.0
"""That a server is granted when it asks to be left alone."""


@dataclass(frozen=True)
class HttpPart:
    """Asks a server in batches, several at a time.

    Args:
        url: http or https.
        batch: answers per request.
        parallel: requests under way at a time.
        timeout_s: of each request, to its last byte.
        tries: of each request, where the server is busy, failing or not there.
        pause_s: before the second try; doubled before each later one.
    """

    url: str
    batch: int = 32
    parallel: int = 4
    timeout_s: float = 60.0
    tries: int = 5
    pause_s: float = 0.5
    waits = True

    def __post_init__(self) -> None:
        checked(
            self.url,
            of="a server",
            remedy="Write http://HOST:PORT/PATH.",
            password="Ask it in a function of your own: reward=FILE.py:NAME.",
        )

    def raw(self, answered: Sequence[Answered]) -> list[Any]:
        """All scores in order. Raises: RewardError where the server fails or answers otherwise."""
        starts = range(0, len(answered), self.batch)
        pieces = [answered[start : start + self.batch] for start in starts]
        replies = map_parallel(self._scores, pieces, parallel=self.parallel)
        return [score for scores in replies for score in scores]

    def _scores(self, answered: Sequence[Answered]) -> list[Any]:
        body = {
            "prompts": [one.prompt for one in answered],
            "answers": [one.answer for one in answered],
        }
        text = self._posted(json.dumps(body).encode(), answered)
        reply = read_json(text)
        scores = reply.get("scores") if isinstance(reply, dict) else None
        if isinstance(scores, list) and len(scores) == len(answered):
            return scores
        seen = (
            f"{len(scores)} scores"
            if isinstance(scores, list)
            else cut(repr(hidden(text, secrets_in(self.url))), 100)
        )
        raise RewardError(
            f"{shown_address(self.url)} answered {seen} for {len(answered)} answers, the first "
            f"{shown(answered[0])}",
            remedy='It must answer {"scores": [...]} with one score per answer, in their order.',
        )

    def _posted(self, body: bytes, answered: Sequence[Answered]) -> str:
        """The server's reply, after as many tries as it takes."""
        for attempt in range(self.tries):
            pause = self.pause_s * 2**attempt
            try:
                received = post(self.url, body, timeout_s=self.timeout_s)
            except NoReplyError as error:
                problem = error.problem
            else:
                if received.status == 200:
                    return received.text
                problem = _refusal(received)
                if received.status not in AGAIN:
                    break
                pause = max(pause, min(received.pause_s or 0.0, LONGEST_PAUSE_S))
            if attempt + 1 < self.tries:
                time.sleep(pause)
        times = f", {attempt + 1} times" if attempt else ""
        raise RewardError(
            f"{shown_address(self.url)} {problem}{times}, on {len(answered)} answers, the first "
            f"{shown(answered[0])}",
            remedy="Start the server, or look into its log.",
        )


def _refusal(received: Received) -> str:
    """A status that is no success, in words."""
    if received.moved_to:
        return f"moved to {shown_address(received.moved_to)}"
    said = cut(message_of(received.text), 200)
    return f"answered {received.status} {received.reason}".rstrip() + f" ({said})"
