"""Contrastive search: likely tokens whose states do not resemble those that came before.

Deterministic, and without the loops of greedy answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from luciola.errors import ConfigError
from luciola.rollout.cache import reordered
from luciola.rollout.rows import Row
from luciola.rollout.searching import Search
from luciola.types import Request


@dataclass(frozen=True)
class Contrastive:
    """Of the k likeliest tokens v the one with the largest (1 - α) p(v) - α max_j cos(h_v, h_j).

    h are the states after the last norm, j runs over everything before v, the prompt too. The k
    candidates of a step go through the model in one batch, the cache repeated for each.

    Source: Su et al. 2022, equation 5, https://arxiv.org/abs/2202.06417.
    Args:
        alpha: α from 0 (greedy) to 1 (only unlikeness counts).
        k: candidates.

    Raises: ConfigError if a number is out of range.
    """

    alpha: float = 0.6
    k: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ConfigError(f"the contrast alpha must be from 0 to 1, got {self.alpha}")
        if self.k < 1:
            raise ConfigError(f"contrastive search needs at least 1 candidate, got {self.k}")

    def check(self, request: Request) -> None:
        """Every request can be answered; all its answers are the same."""

    def answer(self, search: Search, rows: Sequence[Row]) -> None:
        """Search once, for all copies."""
        first, *others = rows
        self._answer(search, first)
        for row in others:
            row.ids, row.logprobs, row.finish = first.ids, first.logprobs, first.finish
            search.watch(row.place, row.ids)

    def _answer(self, search: Search, row: Row) -> None:
        history = search.history(row)
        forward = search.forward
        with states_of(forward.model) as states:
            logits, cache = forward(search.ids(row), search.positions(row), None)
            before = unit(states.pop())[0, -len(row.prompt) :]  # (T, H), virtual tokens left out
            k = min(self.k, logits.shape[-1])
            cache = reordered(cache, before.new_zeros(k, dtype=torch.int64))
            while row.finish is None:
                logits = logits.float() if history is None else history(logits)
                candidates = logits.softmax(-1)[0].topk(k)
                positions = torch.full((k, 1), len(before), device=forward.device)
                following, cache = forward(candidates.indices[:, None], positions, cache)
                after = unit(states.pop())[:, -1]  # (k, H)
                best = int(self._scores(candidates.values, after, before).argmax())
                token = candidates.indices[best : best + 1]
                self._take(search, row, token, logits)
                if history is not None:
                    history.append(token)
                before = torch.cat([before, after[best : best + 1]])
                logits = following[best : best + 1]
                cache = reordered(cache, torch.full((k,), best, device=forward.device))

    def _scores(self, probabilities: Tensor, after: Tensor, before: Tensor) -> Tensor:
        """(k,) of candidates with (k,) probabilities, (k, H) states, behind (T, H) states."""
        likeness = (after @ before.T).amax(-1)
        scores = (1 - self.alpha) * probabilities - self.alpha * likeness
        return scores.masked_fill(probabilities == 0, -torch.inf)  # forbidden by an n-gram

    def _take(self, search: Search, row: Row, token: Tensor, logits: Tensor) -> None:
        """The chosen token, with the model's own log-probability, as of a greedy row."""
        logprob = float(logits.log_softmax(-1)[0, token[0]])
        row.take([int(token)], [logprob], search.end_ids, search.decode)
        search.watch(row.place, row.ids[-1:])


def unit(states: Tensor) -> Tensor:
    """States (..., H) in float32 and of length 1."""
    return nn.functional.normalize(states.float(), dim=-1)


@contextmanager
def states_of(model: Any) -> Iterator[list[Tensor]]:
    """Within it, the last states (B, T, H) of each forward pass of the model's body are kept.

    Raises: ConfigError for a model whose body is no module of its own.
    """
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: Any, output: Any) -> None:
        seen.append(output[0])

    base = getattr(model, "get_base_model", lambda: model)()  # inside an adapter
    if base.base_model is base:
        raise ConfigError(
            f"contrastive search needs the states of the body, and that of "
            f"{type(base).__name__} is not known",
            remedy="Take another strategy: beams, or sampling.",
        )
    handle = base.base_model.register_forward_hook(keep)
    try:
        yield seen
    finally:
        handle.remove()
