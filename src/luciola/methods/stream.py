"""Where fine-tuning's batches come from: the examples of each step, laid out as rows.

A position in the data is a step number; everything else (order, augmentation, packing) follows from
it and the seed, so that it can be saved, and so that every process computes the same plan without
talking.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from luciola.data.prefixes import shared_prefixes
from luciola.data.rows import Row, Tree, packed_rows, padded_rows, tree_rows
from luciola.methods.epochs import Epochs
from luciola.types import Tokens

Kind = Literal["padded", "packed", "tree"]


class Source(Protocol):
    """Examples by number; an augmenting source gives other tokens in every epoch."""

    def __len__(self) -> int: ...

    def tokens(self, index: int, epoch: int) -> Tokens: ...


@dataclass(frozen=True)
class Rendered:
    """A source whose examples are the same in every epoch."""

    samples: Sequence[Tokens]

    def __len__(self) -> int:
        return len(self.samples)

    def tokens(self, index: int, epoch: int) -> Tokens:
        """Example `index`, whatever the epoch."""
        return self.samples[index]


@dataclass(frozen=True)
class Plan(Epochs, Dataset[list[Row]]):
    """The rows of every step of a run, for one of its processes.

    Args:
        source: the examples.
        order: indices of one epoch's examples, in order; its length is the same in every epoch.
        batch: examples per step over all processes.
        epochs: passes, fractions allowed.
        max_steps: stop after this many steps; 0: after `epochs`.
        kind: how examples share rows.
        capacity: tokens per row.
        rank, size: which share of each step's rows this process gets.
    """

    source: Source
    order: Callable[[int], NDArray[np.int64]]
    batch: int
    epochs: float
    max_steps: int
    kind: Kind
    capacity: int
    rank: int = 0
    size: int = 1

    def taken(self, epoch: int) -> NDArray[np.int64]:
        """As `order` says."""
        return self.order(epoch)

    def samples(self, step: int) -> list[Tokens]:
        """The examples of a step, over all processes."""
        epoch = self.epoch_of(step)
        return [self.source.tokens(number, epoch) for number in self.numbers(step)]

    def __getitem__(self, step: int) -> list[Row]:
        if step >= len(self):
            raise IndexError(step)
        rows = lay_out(self.samples(step), self.kind, self.capacity)
        return share(rows, self.rank, self.size)

    def fingerprint(self) -> str:
        """A hash of the examples."""
        return fingerprint(self.source)


def fingerprint(source: Source) -> str:
    """A hash of the examples, to notice that data changed under a run; of 64 where each epoch makes
    its own.
    """
    stride = 1 if isinstance(source, Rendered) else max(1, len(source) // 64)
    digest = blake2b(str(len(source)).encode(), digest_size=8)
    for index in range(0, len(source), stride):
        tokens = source.tokens(index, 0)
        digest.update(tokens.ids.tobytes() + tokens.trained.tobytes())
    return digest.hexdigest()


def lay_out(samples: Sequence[Tokens], kind: Kind, capacity: int) -> list[Row]:
    """Rows of at most `capacity` tokens that hold all samples."""
    if kind == "padded":
        return padded_rows(samples, capacity)
    if kind == "packed":
        return packed_rows(samples, capacity)
    groups = shared_prefixes(samples)
    return tree_rows(samples, [Tree(g.prefix_length, tuple(g.members)) for g in groups], capacity)


def share(rows: Sequence[Row], rank: int, size: int) -> list[Row]:
    """This process's rows: large ones dealt out first, and as many for every process."""
    dealt = sorted(rows, key=lambda row: -row.num_tokens)
    while len(dealt) % size:
        dealt.append(_without_labels(dealt[-1]))
    return dealt[rank::size]


def halved(sizes: Iterable[tuple[int, int]]) -> int | None:
    """Half the tokens of the largest micro-batch that can be cut; None: none can.

    Args:
        sizes: tokens of each micro-batch, and how many examples it holds.
    """
    largest = max((tokens for tokens, examples in sizes if examples > 1), default=0)
    return largest // 2 or None


def _without_labels(row: Row) -> Row:
    """A row that trains nothing, for a process that has none left: all must take the same steps."""
    return replace(row, source=row.source[:0], labels=row.labels[:0], examples=())


def rows_from(plan: Plan, step: int, workers: int) -> Iterator[list[Row]]:
    """The rows of step, step + 1, ...; made ahead in `workers` processes where there are any."""
    loader: DataLoader[list[Row]] = DataLoader(
        plan,
        batch_size=None,
        sampler=range(step, len(plan)),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        collate_fn=_unchanged,
        worker_init_fn=_leave_signals_to_the_trainer,
    )
    return iter(loader)


def _leave_signals_to_the_trainer(worker: int) -> None:
    """A terminal's Ctrl-C reaches every process; the trainer finishes its step and ends workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _unchanged(rows: list[Row]) -> list[Row]:
    return rows
