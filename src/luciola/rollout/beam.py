"""Beam search: the answer whose whole probability is largest, as far as a few beams can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from luciola.errors import ConfigError
from luciola.rollout.cache import reordered
from luciola.rollout.penalties import History
from luciola.rollout.rows import Row, finish_of
from luciola.rollout.searching import Search
from luciola.types import Request


@dataclass(frozen=True)
class Beam:
    """The beginning of an answer, or a whole one.

    Args:
        ids: its tokens.
        logprobs: of each token, in nats.
        total: what it is ranked by while it grows: the sum of its logprobs.
        finish: why it is finished, if it is.
        source: the beam of the step before that it continues.
    """

    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    total: float = 0.0
    finish: Literal["end", "stop", "length"] | None = None
    source: int = 0


@dataclass(frozen=True)
class Beams:
    """Keeps the `width` likeliest beginnings; finished ones are ranked by sum / length^penalty.

    The rules are those of transformers, so that its answers are these: finished answers are taken
    from the `width` best continuations of a step only, and the search ends when `width` answers
    are finished and the best beginning, at its present length, ranks below all of them.

    Args:
        width: beginnings kept; 1 is greedy.
        length_penalty: 0 ranks by the sum; above, longer answers gain; below 0, shorter ones.
        early_stopping: end as soon as `width` answers are finished.

    Raises: ConfigError if the width is below 1.
    """

    width: int = 4
    length_penalty: float = 1.0
    early_stopping: bool = False

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ConfigError(f"a beam search needs at least 1 beam, got {self.width}")

    def check(self, request: Request) -> None:
        """Raises: ConfigError if more answers are asked for than there are beams."""
        if request.n > self.width:
            raise ConfigError(
                f"{request.n} answers were asked of a search over {self.width} beams",
                remedy=f"Ask for {self.width} at most, or search over more beams.",
            )

    def answer(self, search: Search, rows: Sequence[Row]) -> None:
        """The best finished answers, one per row."""
        found = self._search(search, rows[0])
        for rank, row in enumerate(rows):
            best = found[min(rank, len(found) - 1)]
            row.ids, row.logprobs, row.finish = list(best.ids), list(best.logprobs), best.finish
            search.watch(row.place, row.ids)

    def _search(self, search: Search, row: Row) -> list[Beam]:
        """The finished answers, best first."""
        forward, history = search.forward, search.history(row)
        logits, cache = forward(search.ids(row), search.positions(row), None)
        running, finished = [Beam()], list[Beam]()
        while True:
            ranked = self._continued(running, logits, history, 1 + len(search.end_ids))
            ended = [finish_of(beam.ids, row, search.end_ids, search.decode) for beam in ranked]
            pairs = list(zip(ranked, ended, strict=True))
            finished += [_ended(beam, why) for beam, why in pairs[: self.width] if why]
            finished = sorted(finished, key=self.rank, reverse=True)[: self.width]
            running = [beam for beam, why in pairs if why is None][: self.width]
            if not running or self._is_over(running, finished):
                return finished
            logits, cache = self._step(search, row, running, cache, history)

    def _continued(
        self, running: Sequence[Beam], logits: Tensor, history: History | None, factor: int
    ) -> list[Beam]:
        """The best continuations of all beams by one token, enough for every beam to go on."""
        logprobs = logits.float().log_softmax(-1)
        if history is not None:
            logprobs = history(logprobs)
        totals = torch.tensor([beam.total for beam in running], device=logprobs.device)
        flat = (logprobs + totals[:, None]).flatten()
        best = flat.topk(min(max(2, factor) * self.width, len(flat)))
        own = logprobs.flatten()[best.indices].tolist()
        continued = []
        for total, index, logprob in zip(
            best.values.tolist(), best.indices.tolist(), own, strict=True
        ):
            source, token = divmod(index, logprobs.shape[-1])
            before = running[source]
            if total > -torch.inf:
                values = (*before.logprobs, logprob)
                continued.append(Beam((*before.ids, token), values, total, None, source))
        return continued

    def _step(
        self,
        search: Search,
        row: Row,
        running: Sequence[Beam],
        cache: Any,
        history: History | None,
    ) -> tuple[Tensor, Any]:
        """Logits (B, V) behind the beams and the cache; both cache and history in their order."""
        device = search.forward.device
        sources = torch.tensor([beam.source for beam in running], device=device)
        tokens = torch.tensor([beam.ids[-1] for beam in running], device=device)
        if history is not None:
            history.select(sources)
            history.append(tokens)
        length = len(row.prompt) + len(running[0].ids) - 1
        positions = torch.full((len(running), 1), length, device=device)
        return search.forward(tokens[:, None], positions, reordered(cache, sources))

    def rank(self, beam: Beam) -> float:
        """What finished answers are compared by."""
        return float(beam.total / len(beam.ids) ** self.length_penalty)

    def _is_over(self, running: Sequence[Beam], finished: Sequence[Beam]) -> bool:
        if len(finished) < self.width:
            return False
        return self.early_stopping or self.rank(running[0]) <= self.rank(finished[-1])


def _ended(beam: Beam, why: Literal["end", "stop", "length"]) -> Beam:
    return Beam(beam.ids, beam.logprobs, beam.total, why, beam.source)
