"""The rows under way: they wait, take slots, are computed step by step, and leave.

What is asked of the device is asked once every few steps; a row's tokens are read when it ends, or
at every look where somebody waits for them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import torch

from luciola.rollout.cache import PrefixCache
from luciola.rollout.engine import slots as at
from luciola.rollout.engine.admission import Kept, admit
from luciola.rollout.engine.choosing import Mode
from luciola.rollout.engine.decoding import GraphedStep, Step, plain_step, row_bucket
from luciola.rollout.engine.devices import has_kernels
from luciola.rollout.engine.matching import PerRow
from luciola.rollout.engine.memory import capacity, worth_keeping
from luciola.rollout.engine.slots import Slots
from luciola.rollout.engine.source import Source
from luciola.rollout.engine.stops import first_stop
from luciola.rollout.rows import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

JOINING = 1 / 8
"""Rows join a running batch once this share of its slots is free, or all that wait can: launching a
pass over prompts takes a GPU's host as long as a score of steps."""


class RunningRows:
    """Rows in the order of their slots, None where a slot is free; arguments as of `FastEngine`.

    Args:
        waiting: rows that have no slot yet, in order; whoever asks appends to it.
        running: by slot.
        steps_left: of each slot with a row, steps until its limit.
    """

    def __init__(
        self,
        source: Source,
        *,
        end_ids: Collection[int],
        tokenizer: PreTrainedTokenizerBase | None,
        batch: int | None,
        stride: int | None,
        prefix_entries: int,
        keep_cache: bool,
        watch: Callable[[int, Sequence[int]], None] | None,
    ) -> None:
        self.source = source
        self.device = source.network.embedding.device
        self.on_gpu = self.device.type == "cuda"
        self.end_ids = frozenset(end_ids)
        self.ends = torch.tensor(sorted(self.end_ids), dtype=torch.int64, device=self.device)
        self.tokenizer = tokenizer
        self.batch = batch or (256 if self.on_gpu else 64)
        self.stride = stride or (8 if self.on_gpu else 1)
        self.idle_stride = stride or (16 if self.on_gpu else 1)
        self.prefixes: PrefixCache[Kept] = PrefixCache(prefix_entries)
        self.keep_cache = keep_cache
        self.watch = watch
        self._slots: Slots | None = None
        self._step: Step | None = None
        self.waiting: deque[Row] = deque()
        self.running: list[Row | None] = []
        self.steps_left: dict[int, int] = {}
        self._matcher = PerRow()
        self._mode: Mode | None = None

    def advance(self, *, every_token: bool) -> list[Row]:
        """Let rows join, compute some steps, and let those leave that are finished.

        Returns: the rows of which there is news: all where `every_token`, else those that ended.
        """
        ended = self._join() + self._refuse()
        if not self.steps_left:
            return ended
        assert self._slots is not None and self._step is not None
        if self._mode is None:
            self._mode = Mode.of([row for row in self.running if row is not None])
        left = self.steps_left
        steps = 1 if self._mode.constrained else min(self._stride(), max(left.values()))
        reached = max(
            len(row.prompt) + row.limit - left[slot]
            for slot, row in enumerate(self.running)
            if row is not None
        )
        if self._mode.constrained:
            self._matcher.fill(sorted(left), self._slots.mask)
        for done in range(steps):
            length = min(reached + done, self._slots.length)
            self._step(len(self.running), length, self._mode)
        for slot in left:
            left[slot] = max(0, left[slot] - steps)
        return ended + self._look(every_token)

    def _stride(self) -> int:
        """Steps to the next look: fewer where rows wait for those that end."""
        return self.stride if self.waiting else self.idle_stride

    def _join(self) -> list[Row]:
        """Rows that wait take free slots; returns those that may say nothing at all."""
        ended = []
        while self.waiting and self.waiting[0].finish is not None:
            ended.append(self.waiting.popleft())
        if not self.waiting:
            return ended
        if not self.steps_left:
            self.running.clear()
            self._allocate()
        assert self._slots is not None
        free = [slot for slot, row in enumerate(self.running) if row is None]
        free += range(len(self.running), self._slots.rows)
        rows: list[Row] = []
        enough = min(len(self.waiting), self._slots.rows * JOINING)
        if self.on_gpu and self.steps_left and len(free) < enough:
            return ended
        while self.waiting and len(rows) < len(free):
            row = self.waiting[0]
            if row.finish is not None:
                ended.append(self.waiting.popleft())
                continue
            if len(row.prompt) + row.limit > self._slots.length:
                break  # it waits until the slots can be made longer
            rows.append(self.waiting.popleft())
        places = free[: len(rows)]
        if rows:
            self._mode = None
            admit(self.source.network, self._slots, places, rows, self.prefixes)
        for slot, row in zip(places, rows, strict=True):
            self.running += [None] * (slot + 1 - len(self.running))
            self.running[slot] = row
            self.steps_left[slot] = row.limit
            self._matcher.begin(slot, row.constraint)
        return ended

    def _allocate(self) -> None:
        """Slots for the rows that wait; the ones there are, where they are large enough."""
        rows, length = capacity(self.source.network, self.waiting, self.batch)
        slots = self._slots
        if slots is not None and slots.rows >= rows and slots.length >= length:
            return
        if slots is not None:
            length = max(length, slots.length)
            del slots
        self.forget_slots()
        while True:
            try:
                self._slots = Slots(self.source.network, rows, length)
                break
            except torch.OutOfMemoryError:
                if rows == 1:
                    raise
                rows //= 2
        self._step = self._make_step(self._slots)

    def _make_step(self, slots: Slots) -> Step:
        network = self.source.network
        if not self.on_gpu:
            return plain_step(network, slots, self.ends)
        if not has_kernels(self.device):
            return GraphedStep(plain_step(network, slots, self.ends), slots)
        from luciola.rollout.engine.kernels import kernel_step

        return GraphedStep(kernel_step(network, slots, self.ends), slots)

    def release(self) -> None:
        """Give the cache back, where it may not be kept."""
        slots = self._slots
        if slots is not None and not (self.keep_cache and worth_keeping(slots.cache)):
            self.forget_slots()

    def forget_slots(self) -> None:
        """Give the cache back; no row may be in it."""
        self._slots = self._step = None

    def _refuse(self) -> list[Row]:
        """Rows whose constraint allows nothing end before the next step."""
        size = len(self.source.network.head.weight)
        refused = [
            slot
            for slot, row in enumerate(self.running)
            if row is not None and row.constraint is not None
            and not self._matcher.allows_any(slot, size)
        ]  # fmt: skip
        rows = [row for slot in refused if (row := self.running[slot]) is not None]
        for row in rows:
            row.finish = "refused"
        self.drop(refused)
        return rows

    def _look(self, every_token: bool) -> list[Row]:
        """Read from the device what ended, and the tokens that somebody waits for."""
        assert self._slots is not None
        counts, finishes = self._slots.status(len(self.running))
        wanted = [
            (slot, row)
            for slot, row in enumerate(self.running)
            if row is not None
            and (every_token or row.stop or row.constraint is not None or finishes[slot])
            and (counts[slot] > len(row.ids) or finishes[slot])
        ]
        places = [slot for slot, _ in wanted]
        starts = [len(row.prompt) + len(row.ids) for _, row in wanted]
        ends = [len(row.prompt) + counts[slot] for slot, row in wanted]
        news = self._slots.answers(places, starts, ends)
        for (slot, row), (ids, logprobs) in zip(wanted, news, strict=True):
            self._take(slot, row, ids, logprobs, finishes[slot])
        done = [slot for slot, row in wanted if row.finish is not None]
        self.drop(done)
        self._compact()
        return [row for _, row in wanted if every_token or row.finish is not None]

    def _take(
        self, slot: int, row: Row, ids: list[int], logprobs: list[float], finish: int
    ) -> None:
        """Hand new tokens to a row."""
        before = len(row.ids)
        row.ids += ids
        row.logprobs += logprobs
        stopped = None
        if row.stop and ids:
            stopped = first_stop(row.ids, before, row.stop, self._decode)
        if stopped is not None:
            del row.ids[stopped:], row.logprobs[stopped:]
            last = row.ids[-1] in self.end_ids
            row.finish = "end" if last else "stop"
        elif finish:
            row.finish = "end" if finish == at.ENDED else "length"
        if row.constraint is not None and row.finish is None:
            for token in row.ids[before:]:
                self._matcher.accept([slot], [token])
        if self.watch is not None and len(row.ids) > before:
            self.watch(row.place, row.ids[before:])

    def drop(self, places: Sequence[int]) -> None:
        """Free slots."""
        if not places:
            return
        self._mode = None
        if self._slots is not None:
            self._slots.free(places)
        for slot in places:
            self.running[slot] = None
            self.steps_left.pop(slot, None)
            self._matcher.begin(slot, None)
        while self.running and self.running[-1] is None:
            self.running.pop()

    def _compact(self) -> None:
        """Move the last rows into free slots, where fewer rows need be computed then."""
        if self.waiting or self._slots is None:
            return
        count = sum(row is not None for row in self.running)
        most = self._slots.rows
        size = (lambda n: row_bucket(n, most)) if self.on_gpu else (lambda n: n)
        if not count or size(count) >= size(len(self.running)):
            return
        holes = [slot for slot, row in enumerate(self.running[:count]) if row is None]
        last = [slot for slot in range(count, len(self.running)) if self.running[slot]]
        for target, source in zip(holes, last, strict=True):
            row = self.running[source]
            assert row is not None
            self._slots.move(source, target, len(row.prompt) + row.limit)
            self.running[target] = row
            self.steps_left[target] = self.steps_left.pop(source)
            self._matcher.move(source, target)
        self._slots.free(last)
        del self.running[count:]

    def _decode(self, ids: Sequence[int]) -> str:
        assert self.tokenizer is not None
        return str(self.tokenizer.decode(list(ids)))
