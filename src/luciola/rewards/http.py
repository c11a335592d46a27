"""A server as a reward: prompts and answers go there as JSON, scores come back."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from luciola.errors import ConfigError, RewardError
from luciola.types import Answered

RETRIED = (429, 500, 502, 503, 504)


class HttpReward:
    """Posts {"prompts": [...], "answers": [...]} and expects {"scores": [...]}.

    Args:
        url: http or https.
        batch: answers per request; requests run at the same time.
        timeout_s: for one request.
        tries: how often a request is made that fails by the server's fault.
        pause_s: before the second try; doubled before each later one.
    """

    name = "http"
    waits = True

    def __init__(
        self,
        url: str,
        *,
        batch: int = 32,
        timeout_s: float = 60.0,
        tries: int = 4,
        pause_s: float = 0.5,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(
                f"reward: {url!r} is no address", remedy="Write http://HOST:PORT/PATH."
            )
        self.url, self.batch = url, batch
        self.timeout_s, self.tries, self.pause_s = timeout_s, tries, pause_s

    def scores(self, answered: Sequence[Answered]) -> list[Any]:
        """All scores, in order."""
        chunks = [answered[i : i + self.batch] for i in range(0, len(answered), self.batch)]
        with ThreadPoolExecutor(8) as pool:
            return [score for scores in pool.map(self._ask, chunks) for score in scores]

    def _ask(self, answered: Sequence[Answered]) -> list[Any]:
        body = {
            "prompts": [one.prompt for one in answered],
            "answers": [one.answer for one in answered],
        }
        reply = self._posted(json.dumps(body).encode())
        if not (isinstance(reply, dict) and isinstance(reply.get("scores"), list)):
            raise RewardError(
                f"{self.url} answered {str(reply)!r:.80}, which has no list of scores",
                remedy='It must answer {"scores": [...]}, one for each answer.',
            )
        scores: list[Any] = reply["scores"]
        if len(scores) != len(answered):
            raise RewardError(f"{self.url} gave {len(scores)} scores for {len(answered)} answers")
        return scores

    def _posted(self, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        for attempt in range(self.tries):
            try:
                request = urllib.request.Request(self.url, body, headers)
                with urllib.request.urlopen(request, timeout=self.timeout_s) as response:
                    return json.loads(response.read())
            except urllib.error.HTTPError as error:
                problem = f"answered {error.code} {error.reason}"
                if error.code not in RETRIED:
                    break
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                problem = f"cannot be reached ({getattr(error, 'reason', error)})"
            except ValueError:
                problem = "answered something that is no JSON"
                break
            if attempt + 1 < self.tries:
                time.sleep(self.pause_s * 2**attempt)
        raise RewardError(
            f"the reward's server {self.url} {problem}",
            remedy="Start it, or look into its log; the run goes on from its last checkpoint.",
        )
