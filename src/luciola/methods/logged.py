"""Logged answers as ILQL's batches: states, the actions taken in them, and rewards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from luciola.config.ilql import IlqlConfig
from luciola.conversation.render import Renderer
from luciola.data.cutting import check_cut
from luciola.data.dialogues import DialogueRenderer, read_dialogue, standardized
from luciola.data.grouping import ends
from luciola.data.readers.dropped import Counter
from luciola.data.readers.record import UnsupportedError
from luciola.data.readers.source import data_files, rows_of_file
from luciola.data.rows import Row
from luciola.data.summary import counted
from luciola.errors import DataError
from luciola.methods.epochs import Epochs
from luciola.methods.examples import Order
from luciola.methods.stream import Kind, lay_out, share
from luciola.models.batch import Batch
from luciola.models.layout import moved
from luciola.plugins import load_object, names_object
from luciola.types import Origin, Tokens


@dataclass(frozen=True)
class Logs:
    """What a run learns from.

    Args:
        samples: each with its outputs as what is trained.
        rewards: one per sample, as the loss takes them.
        order: which samples each epoch takes.
        notes: what the reader should know: rewards, what was cut and what left out.
    """

    samples: Sequence[Tokens]
    rewards: Sequence[float]
    order: Order
    notes: tuple[str, ...]

    def fingerprint(self) -> str:
        """A hash of samples and rewards, to notice that data changed under a run."""
        digest = blake2b(str(len(self.samples)).encode(), digest_size=8)
        for tokens, reward in zip(self.samples, self.rewards, strict=True):
            digest.update(tokens.ids.tobytes() + tokens.trained.tobytes() + str(reward).encode())
        return digest.hexdigest()


def load_logs(config: IlqlConfig, renderer: Renderer, rows: Iterable[Any] | None = None) -> Logs:
    """Read and render a recipe's samples.

    Args:
        rows: samples from Python in the place of the recipe's data.

    Raises: DataError naming file and line of what cannot be used, or if nothing is left.
    """
    chat = config.prompt_format == "chat"
    chat = chat or (config.prompt_format == "auto" and bool(renderer.tokenizer.chat_template))
    render = DialogueRenderer(renderer, config.max_length, config.truncation)
    samples: list[Tokens] = []
    rewards: list[float] = []
    sizes: list[int] = []
    longer = dropped = longest = 0
    seen = Counter()
    sources = [_rows(source.path) for source in config.data] if rows is None else [_given(rows)]
    for source in sources:
        before = len(samples)
        for values, origin in source:
            seen.see(values, origin)
            try:
                dialogue = read_dialogue(values, origin)
            except UnsupportedError as error:
                seen.leave_out(error)
                continue
            whole = render.whole(dialogue.as_chat() if chat else dialogue)
            kept = render.cut(whole)
            longer += len(whole) > len(kept)
            longest = max(longest, len(whole))
            dropped += not kept.trained.any()
            if kept.trained.any():
                samples.append(kept)
                rewards.append(dialogue.reward)
        sizes.append(len(samples) - before)
    named = "" if rows is not None else ", ".join(source.path for source in config.data)
    seen.check_some_left(named or "data", len(samples) + dropped)
    _check_some_are_left(len(samples), dropped, config.max_length, named)
    total = len(samples) + dropped
    limit, most = config.max_length, config.max_cut
    check_cut(longer, total, most, what="sample", limit=limit, needed=longest)
    weights = tuple(s.weight for s in config.data) if rows is None else (1.0,)
    return Logs(
        samples,
        [float(r) for r in (standardized(rewards) if config.standardize else rewards)],
        Order(tuple(sizes), weights, config.seed),
        (*_notes(samples, rewards, longer, dropped, config), *map(str, seen.found())),
    )


def _rows(name: str) -> Iterator[tuple[Any, Origin]]:
    """The rows of a file, a folder of files, or a person's function, with their places."""
    if names_object(name):
        made = load_object(name)
        yield from _given(made() if callable(made) else made, name)
        return
    path = Path(name).expanduser()
    for file in data_files(path) if path.is_dir() else [path]:
        for record in rows_of_file(str(file)):
            yield record.values, record.origin


def _given(rows: Iterable[Any], name: str = "data") -> Iterator[tuple[Any, Origin]]:
    for index, row in enumerate(rows):
        yield row, Origin(name, index + 1)


def _check_some_are_left(count: int, dropped: int, max_length: int, named: str) -> None:
    if count:
        return
    if dropped:
        raise DataError(
            f"none of the {dropped:,} samples has an output within max_length={max_length}",
            remedy="Raise max_length, or set truncation=left.",
        )
    raise DataError(
        "there are no samples",
        path=named or "data",
        remedy='A row is {"prompt": "…", "output": "…", "reward": 1.0}.',
    )


def _notes(
    samples: Sequence[Tokens],
    rewards: Sequence[float],
    longer: int,
    dropped: int,
    config: IlqlConfig,
) -> tuple[str, ...]:
    actions = sum(int(tokens.trained.sum()) for tokens in samples)
    low, high, mean = min(rewards), max(rewards), sum(rewards) / len(rewards)
    lines = [
        f"{counted(len(samples), 'sample')} with {counted(actions, 'action')}, "
        f"rewards {low:.4g} to {high:.4g}, mean {mean:.4g}"
    ]
    if longer:
        lines.append(f"cut on the {config.truncation} at {config.max_length:,} tokens: {longer:,}")
    if dropped:
        lines.append(f"left out, because cutting leaves no output of them: {dropped:,}")
    if low == high:
        lines.append("all rewards are equal, so there is nothing to learn but to imitate")
    return tuple(lines)


@dataclass(frozen=True)
class LoggedBatch:
    """One micro-batch: S states of some samples, one sample's after the other's.

    A sample has a state before each of its actions, and its last one; so all but the last of the
    batch's states stand before an action or before the first of the next sample, where nothing
    counts.

    Args:
        batch: read at its `rows` and `columns`, it gives the S states.
        actions: (1, S - 1) int64, 0 where nothing counts.
        rewards: (1, S - 1) float32, each sample's on its last action.
        continues: (1, S) bool, True before every action; False in last states.
        num_actions: how many count.
        origins: where the samples came from.
    """

    batch: Batch
    actions: Tensor
    rewards: Tensor
    continues: Tensor
    num_actions: int
    origins: tuple[str, ...]


@dataclass(frozen=True)
class LoggedPlan(Epochs):
    """The micro-batches of every step of a run, for one of its processes.

    Args:
        logs: the samples.
        batch: samples per step over all processes.
        epochs: passes, fractions allowed.
        max_steps: stop after this many steps; 0: after `epochs`.
        kind, capacity: how samples share rows, and tokens per row.
        device: where batches go.
        rank, size: which share of each step's rows this process gets.
    """

    logs: Logs
    batch: int
    epochs: float
    max_steps: int
    kind: Kind
    capacity: int
    device: torch.device
    rank: int = 0
    size: int = 1

    def taken(self, epoch: int) -> NDArray[np.int64]:
        """As the logs say."""
        return self.logs.order(epoch)

    def fingerprint(self) -> str:
        """A hash of samples and rewards."""
        return self.logs.fingerprint()

    def step(self, step: int) -> list[LoggedBatch]:
        """This process's micro-batches of a step; as many as every other process has."""
        numbers = self.numbers(step)
        samples = [self.logs.samples[n] for n in numbers]
        rewards = [self.logs.rewards[n] for n in numbers]
        rows = share(lay_out(samples, self.kind, self.capacity), self.rank, self.size)
        return [batch_of(row, samples, rewards, self.device) for row in rows]


def batch_of(
    row: Row, samples: Sequence[Tokens], rewards: Sequence[float], device: torch.device
) -> LoggedBatch:
    """A row of some of the samples, with their states."""
    members = [samples[i] for i in row.examples]
    counts = np.array([int(tokens.trained[1:].sum()) for tokens in members], np.int64)
    borders = np.cumsum(counts)  # where among the actions each sample's last state comes in
    last = ends(row) if row.examples else row.source[:0]
    actions = np.insert(row.labels, borders, 0)
    states = replace(row, source=np.insert(row.source, borders, last, axis=0), labels=actions)
    continues = np.insert(np.ones(len(row.labels), np.bool_), borders, False)
    rewarded = np.zeros(len(actions), np.float32)
    rewarded[borders + np.arange(len(borders)) - 1] = [rewards[i] for i in row.examples]
    return LoggedBatch(
        batch=Batch.of(states, device),
        actions=moved(torch.from_numpy(actions[None, :-1]), device),
        rewards=moved(torch.from_numpy(rewarded[None, :-1]), device),
        continues=moved(torch.from_numpy(continues[None]), device),
        num_actions=int(counts.sum()),
        origins=tuple(str(tokens.origin) for tokens in members),
    )
