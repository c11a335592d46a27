"""A server as a reward: prompts and answers go there as JSON, scores come back.

    → POST {"prompts": ["…", …], "answers": ["…", …]}
    ← {"scores": [0.5, …]}

Standard library only. Whoever needs headers or another form writes an asynchronous function.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from luciola.errors import ConfigError, RewardError
from luciola.rewards.background import map_parallel
from luciola.rewards.checking import cut, shown
from luciola.types import Answered

AGAIN = (408, 429, 500, 502, 503, 504)
"""HTTP statuses after which the same request may succeed."""
HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class HttpPart:
    """Asks a server in batches, several at a time.

    Args:
        url: http or https.
        batch: answers per request.
        parallel: requests under way at a time.
        timeout_s: without a sign of life from the server.
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
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"reward: {self.url!r} is no address of a server",
                remedy="Write http://HOST:PORT/PATH.",
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
        try:
            reply = json.loads(text)
        except ValueError:
            reply = None
        scores = reply.get("scores") if isinstance(reply, dict) else None
        if isinstance(scores, list) and len(scores) == len(answered):
            return scores
        seen = f"{len(scores)} scores" if isinstance(scores, list) else cut(repr(text), 100)
        raise RewardError(
            f"{self.url} answered {seen} for {len(answered)} answers, the first "
            f"{shown(answered[0])}",
            remedy='It must answer {"scores": [...]} with one score per answer, in their order.',
        )

    def _posted(self, body: bytes, answered: Sequence[Answered]) -> str:
        """The server's reply, after as many tries as it takes."""
        for attempt in range(self.tries):
            if attempt:
                time.sleep(self.pause_s * 2 ** (attempt - 1))
            try:
                return self._once(body)
            except HTTPError as error:
                problem = f"answered {error.code} {error.reason}"
                problem += f" ({cut(error.read(1000).decode(errors='replace').strip(), 200)})"
                if error.code not in AGAIN:
                    break
            except (OSError, HTTPException) as error:  # a URLError and a timeout are OSErrors
                reason = getattr(error, "reason", None) or error
                problem = f"cannot be reached ({reason or type(error).__name__})"
        times = f", {attempt + 1} times" if attempt else ""
        raise RewardError(
            f"{self.url} {problem}{times}, on {len(answered)} answers, the first "
            f"{shown(answered[0])}",
            remedy="Start the server, or look into its log.",
        )

    def _once(self, body: bytes) -> str:
        request = Request(self.url, body, {"Content-Type": "application/json"})
        with self._opener().open(request, timeout=self.timeout_s) as response:
            text: str = response.read().decode(errors="replace")
            return text

    def _opener(self) -> OpenerDirector:
        """A server on this machine is never asked for through a proxy."""
        is_here = urlsplit(self.url).hostname in HERE
        return build_opener(ProxyHandler({})) if is_here else build_opener()
