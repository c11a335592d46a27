"""Answers found by a search instead of drawn: beam search, contrastive search.

A search has settings of its own and looks at one request at a time; temperature and filters of
`Sampling` have no part in it, penalties and n-grams do. Left out: constraints.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from luciola.errors import ConfigError
from luciola.rollout.batch import Forward, context_length
from luciola.rollout.naive import evaluating
from luciola.rollout.penalties import History
from luciola.rollout.rows import Decode, Row, rows_of
from luciola.rollout.steering import Steering
from luciola.types import Request, Sample

Watch = Callable[[int, Sequence[int]], None]


@dataclass(frozen=True)
class Search:
    """What a search works with.

    Args:
        forward: the model.
        end_ids: ids that end an answer.
        decode: tokens to text, for stop strings.
        watch: told the new tokens of an answer, where the search knows them one by one.
    """

    forward: Forward
    end_ids: Collection[int]
    decode: Decode
    watch: Watch

    def history(self, row: Row) -> History | None:
        """Of a row that has no answer yet."""
        return History.of([row.sampling], [(row.prompt, ())], self.forward.device)

    def ids(self, row: Row) -> Tensor:
        """(1, T) int64 of its prompt."""
        return torch.tensor([row.prompt], device=self.forward.device)

    def positions(self, row: Row) -> Tensor:
        """(1, T) int64."""
        return torch.arange(len(row.prompt), device=self.forward.device)[None]


class Strategy(Protocol):
    """A way to search."""

    def check(self, request: Request) -> None:
        """Raises: ConfigError for a request that this way cannot answer."""

    def answer(self, search: Search, rows: Sequence[Row]) -> None:
        """Finish the rows, all copies of one request; the best answer comes first."""


class SearchSampler:
    """Answers requests with a search; `luciola.types.Sampler`.

    Args:
        model: a causal language model, with or without an adapter.
        strategy: how it searches.
        end_ids: ids that end an answer.
        tokenizer: decodes answers for stop strings; not needed without them.
        steering: changes the logits by what the model's states say; None: they stay.
        watch: as of `NaiveSampler`; a beam search tells everything at its end.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        strategy: Strategy,
        *,
        end_ids: Collection[int],
        tokenizer: PreTrainedTokenizerBase | None = None,
        steering: Steering | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.model = model
        self.strategy = strategy
        self.tokenizer = tokenizer
        forward = Forward(model, steering)
        self.search = Search(forward, frozenset(end_ids), self._decode, watch or _nobody)
        self.version = 0

    def sync(self, version: int) -> None:
        """The model's weights changed; nothing of them is kept."""
        self.version = version

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """All answers, in the order of the requests, those to one request side by side.

        Raises: ConfigError for a request that the search cannot answer.
        """
        for request in requests:
            self._check(request)
        rows = rows_of(requests, context_length(self.model))
        with evaluating(self.model), torch.no_grad():
            for _, copies in groupby(rows, key=lambda row: row.request):
                unfinished = [row for row in copies if row.finish is None]
                if unfinished:
                    self.strategy.answer(self.search, unfinished)
        return [row.sample(self.version) for row in rows]

    def _check(self, request: Request) -> None:
        if request.constraint is not None:
            raise ConfigError(
                "a search takes no constraint", remedy="Sample greedily: beams=1, no contrast."
            )
        if request.stop and self.tokenizer is None:
            raise ConfigError(
                "stop strings need the sampler's tokenizer", remedy="Pass tokenizer=."
            )
        self.strategy.check(request)

    def _decode(self, ids: Sequence[int]) -> str:
        assert self.tokenizer is not None
        return str(self.tokenizer.decode(list(ids)))


def _nobody(place: int, ids: Sequence[int]) -> None:
    """Nobody watches."""
