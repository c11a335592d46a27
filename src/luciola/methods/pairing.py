"""The micro-batches of comparisons: answers in rows, and which of them are compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from luciola.data.grouping import grouped_rows
from luciola.data.rows import Row
from luciola.methods.comparisons import Comparison, Comparisons, fingerprint
from luciola.methods.epochs import Epochs
from luciola.methods.stream import Kind, share
from luciola.models.batch import Batch
from luciola.models.layout import moved
from luciola.models.scorer import at_ends
from luciola.types import Tokens


@dataclass(frozen=True)
class ComparisonBatch:
    """One micro-batch: N answers in a row, and the P pairs that are compared.

    Args:
        batch: its trained tokens are the answers'; see `at_ends` for one output per answer.
        answers: (N,) int64 on the CPU, number of each answer in the run's data.
        counts: (N,) int64, trained tokens of each answer, in the batch's order.
        winners, losers: (P,) int64, which of the N answers are compared.
        margins: (P,) float32, how much better the winner is known to be.
        shares: (P,) float32; those of one comparison add up to 1, so that a ranked list counts as
            much as a pair (Ouyang et al. 2022, eq. 1, https://arxiv.org/abs/2203.02155).
        comparisons: how many comparisons these are.
        origins: where they came from.
    """

    batch: Batch
    answers: Tensor
    counts: Tensor
    winners: Tensor
    losers: Tensor
    margins: Tensor
    shares: Tensor
    comparisons: int
    origins: tuple[str, ...]


@dataclass(frozen=True)
class ComparisonPlan(Epochs):
    """The micro-batches of every step of a run, for one of its processes.

    Args:
        data: the comparisons.
        batch: comparisons per step over all processes.
        epochs: passes, fractions allowed.
        max_steps: stop after this many steps; 0: after `epochs`.
        kind, capacity: how answers share rows, and tokens per row.
        scored: one output per answer, at its end; else one per trained token.
        device: where batches go.
        rank, size: which share of each step's rows this process gets.
    """

    data: Comparisons
    batch: int
    epochs: float
    max_steps: int
    kind: Kind
    capacity: int
    scored: bool
    device: torch.device
    rank: int = 0
    size: int = 1

    def taken(self, epoch: int) -> NDArray[np.int64]:
        """As the data say."""
        return self.data.order(epoch)

    def fingerprint(self) -> str:
        """A hash of the comparisons."""
        return fingerprint(self.data)

    def step(self, step: int) -> list[ComparisonBatch]:
        """This process's micro-batches of a step."""
        return self.lay_out(self.numbers(step))

    def lay_out(self, numbers: Iterable[int]) -> list[ComparisonBatch]:
        """This process's micro-batches of some comparisons; as many as every other process has."""
        chosen = list(numbers)
        members = [self.data.all[number] for number in chosen]
        samples = [answer for member in members for answer in member.answers]
        starts = [0, *accumulate(len(member.answers) for member in members)]
        groups = [range(starts[i], starts[i + 1]) for i in range(len(members))]
        rows = share(grouped_rows(samples, groups, self.kind, self.capacity), self.rank, self.size)
        first = self.data.first_answers
        origins = [first[n] + k for n in chosen for k in range(len(self.data.all[n].answers))]
        return [self._batch(row, samples, groups, members, origins) for row in rows]

    def _batch(
        self,
        row: Row,
        samples: Sequence[Tokens],
        groups: Sequence[range],
        members: Sequence[Comparison],
        numbers: Sequence[int],
    ) -> ComparisonBatch:
        place = {sample: at for at, sample in enumerate(row.examples)}
        here = [i for i, group in enumerate(groups) if group[0] in place]
        pairs = [
            (place[better], place[worse], members[i].margin, 1 / math.comb(len(groups[i]), 2))
            for i in here
            for better, worse in combinations(groups[i], 2)
        ]
        winners, losers, margins, shares = zip(*pairs, strict=True) if pairs else ((),) * 4

        def tensor(values: Sequence[float], dtype: torch.dtype) -> Tensor:
            return moved(torch.tensor(values, dtype=dtype), self.device)

        whole, real = torch.int64, torch.float32
        counts = [int(samples[i].trained.sum()) for i in row.examples]
        return ComparisonBatch(
            batch=Batch.of(at_ends(row) if self.scored else row, self.device),
            answers=torch.tensor([numbers[i] for i in row.examples], dtype=whole),
            counts=tensor(counts, whole),
            winners=tensor(winners, whole),
            losers=tensor(losers, whole),
            margins=tensor(margins, real),
            shares=tensor(shares, real),
            comparisons=len(here),
            origins=tuple(str(members[i].origin) for i in here),
        )
