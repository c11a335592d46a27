"""One long-lived engine: requests join the running batch, answers leave it when they end.

Every answer depends on its own prompt, settings and seed alone, as the reference sampler's do
(`rollout.naive`; to the token in float32). Left out: pages (a row's slot is as long as the longest
row may get), speculation, steering by the model's states; searches have samplers of their own.
"""

from __future__ import annotations

import gc
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from luciola.errors import ConfigError
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
from luciola.rollout.prefixes import group
from luciola.rollout.rows import Row, rows_of
from luciola.types import Request, Sample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

JOINING = 1 / 8
"""Rows join a running batch once this share of its slots is free, or all that wait can: launching a
pass over prompts takes a GPU's host as long as a score of steps."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """What is new of one answer.

    Args:
        id: of its request.
        copy: which of the request's answers, from 0.
        ids, logprobs: new tokens, and their log-probabilities in nats.
        finish: why it ended; None: it goes on.
    """

    id: int
    copy: int
    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish: Literal["end", "stop", "length", "refused"] | None = None


class Engine(Protocol):
    """Requests in, events out; `FastEngine` is the one there is."""

    def add(self, request: Request) -> int: ...

    def step(self) -> Sequence[Event]: ...

    def abort(self, id: int) -> None: ...

    def sync(self, version: int) -> None: ...

    def sample(self, requests: Sequence[Request]) -> list[Sample]: ...


class FastEngine:
    """Answers requests with a model's weights; `Engine`, and `luciola.types.Sampler`.

    Args:
        source: the weights, and the network that is made of them.
        end_ids: ids that end an answer; the one sampled is part of it.
        tokenizer: decodes answers for stop strings; not needed without them.
        batch: rows in the model at once; None: 64 on a CPU, 256 on a GPU.
        stride: steps between two looks at the device; None: 1 on a CPU, on a GPU 8 while others
            wait and 16 after that.
        prefix_entries: computed prefixes that are kept between calls.
        keep_cache: keep the cache and its graphs between calls, where it takes little of the
            memory; else they are made anew, a tenth of a second.
        progress: called now and then with (answers finished, answers in all).
        watch: called with (place of the answer among all answers, its new tokens) at every look;
            what it raises ends the sampling.
    """

    def __init__(
        self,
        source: Source,
        *,
        end_ids: Collection[int],
        tokenizer: PreTrainedTokenizerBase | None = None,
        batch: int | None = None,
        stride: int | None = None,
        prefix_entries: int = 4,
        keep_cache: bool = True,
        progress: Callable[[int, int], None] | None = None,
        watch: Callable[[int, Sequence[int]], None] | None = None,
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
        self.progress = progress
        self.watch = watch
        self.version = 0
        self._next_id = 0
        self._slots: Slots | None = None
        self._step: Step | None = None
        self._waiting: deque[Row] = deque()
        self._running: list[Row | None] = []
        self._steps_left: dict[int, int] = {}
        self._matcher = PerRow()
        self._mode: Mode | None = None

    # Requests that come and go

    def add(self, request: Request) -> int:
        """A request for the running batch, from its next step on; returns its id.

        Raises: LuciolaError for an empty prompt, or one that leaves no room for an answer;
            ConfigError for stop strings without a tokenizer.
        """
        self._check([request])
        rows = rows_of([request], self.source.network.context)
        id, self._next_id = self._next_id, self._next_id + 1
        for row in rows:
            row.request = id
        self._waiting.extend(rows)
        return id

    def step(self) -> list[Event]:
        """Compute as far as the next look, and say what is new; nothing where nobody waits."""
        known = {id(row): len(row.ids) for row in self._running if row is not None}
        with self._computing():
            seen = self._advance(every_token=True)
        return [
            Event(
                row.request,
                row.copy,
                tuple(row.ids[known.get(id(row), 0) :]),
                tuple(row.logprobs[known.get(id(row), 0) :]),
                row.finish,
            )
            for row in seen
        ]

    def abort(self, id: int) -> None:
        """Forget a request; an id that is not known (any more) is passed over."""
        self._waiting = deque(row for row in self._waiting if row.request != id)
        self._drop(
            [
                slot
                for slot, row in enumerate(self._running)
                if row is not None and row.request == id
            ]
        )

    def sync(self, version: int) -> None:
        """The model's weights changed: take them over, and forget what was computed with the old
        ones. Rows under way go on with the new ones.
        """
        self.version = version
        self.prefixes.clear()
        if self.source.refresh():
            self._forget_slots()

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """All answers, in the order of the requests, those to one request side by side.

        Raises: ConfigError while requests that were added are under way.
        """
        if self._waiting or self._steps_left:
            raise ConfigError("the engine has requests under way", remedy="Step until they end.")
        self._check(requests)
        rows = rows_of(requests, self.source.network.context)
        try:
            with self._computing():
                if self.source.moved():
                    self.source.refresh()
                    self.prefixes.clear()
                    self._forget_slots()
                self._answer(rows)
        finally:
            self._waiting.clear()
            self._drop([slot for slot, row in enumerate(self._running) if row is not None])
            self._release()
        return [row.sample(self.version) for row in rows]

    def _check(self, requests: Sequence[Request]) -> None:
        if self.tokenizer is None and any(request.stop for request in requests):
            raise ConfigError(
                "stop strings need the sampler's tokenizer", remedy="Pass tokenizer=."
            )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            yield

    # All answers at once

    def _answer(self, rows: list[Row]) -> None:
        """Answer every row; with half as many at once, from now on, where memory runs out.

        Raises: torch.OutOfMemoryError where one row by itself is too much.
        """
        while unfinished := [row for row in rows if row.finish is None]:
            full = self._out_of_memory(unfinished, rows)
            if not full:
                return
            if min(self.batch, len(unfinished)) < 2:
                raise torch.OutOfMemoryError(full)
            self.batch = min(self.batch, len(unfinished)) // 2
            log.info("out of memory while sampling: %d answers at once, same result", self.batch)
            self._waiting.clear()
            self._running.clear()
            self._steps_left.clear()
            for row in unfinished:
                if row.finish is None:
                    row.restart()
            self.prefixes.clear()
            self._forget_slots()
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _out_of_memory(self, unfinished: list[Row], rows: list[Row]) -> str:
        """Answer rows; what torch said where memory ran out, else ""."""
        self._waiting.extend(_side_by_side(unfinished))
        finished = len(rows) - len(unfinished)
        try:
            while self._waiting or self._steps_left:
                seen = self._advance(every_token=self.watch is not None)
                done = sum(row.finish is not None for row in seen)
                finished += done
                if done and self.progress is not None:
                    self.progress(finished, len(rows))
        except torch.OutOfMemoryError as error:
            return str(error) or "out of memory"
        return ""

    # The running batch

    def _advance(self, *, every_token: bool) -> list[Row]:
        """Let rows join, compute some steps, and let those leave that are finished.

        Returns: the rows of which there is news: all where `every_token`, else those that ended.
        """
        ended = self._join() + self._refuse()
        if not self._steps_left:
            return ended
        assert self._slots is not None and self._step is not None
        if self._mode is None:
            self._mode = Mode.of([row for row in self._running if row is not None])
        left = self._steps_left
        steps = 1 if self._mode.constrained else min(self._stride(), max(left.values()))
        reached = max(
            len(row.prompt) + row.limit - left[slot]
            for slot, row in enumerate(self._running)
            if row is not None
        )
        if self._mode.constrained:
            self._matcher.fill(sorted(left), self._slots.mask)
        for done in range(steps):
            length = min(reached + done, self._slots.length)
            self._step(len(self._running), length, self._mode)
        for slot in left:
            left[slot] = max(0, left[slot] - steps)
        return ended + self._look(every_token)

    def _stride(self) -> int:
        """Steps to the next look: fewer where rows wait for those that end."""
        return self.stride if self._waiting else self.idle_stride

    def _join(self) -> list[Row]:
        """Rows that wait take free slots; returns those that may say nothing at all."""
        ended = []
        while self._waiting and self._waiting[0].finish is not None:
            ended.append(self._waiting.popleft())
        if not self._waiting:
            return ended
        if not self._steps_left:
            self._running.clear()
            self._allocate()
        assert self._slots is not None
        free = [slot for slot, row in enumerate(self._running) if row is None]
        free += range(len(self._running), self._slots.rows)
        rows: list[Row] = []
        enough = min(len(self._waiting), self._slots.rows * JOINING)
        if self.on_gpu and self._steps_left and len(free) < enough:
            return ended
        while self._waiting and len(rows) < len(free):
            row = self._waiting[0]
            if row.finish is not None:
                ended.append(self._waiting.popleft())
                continue
            if len(row.prompt) + row.limit > self._slots.length:
                break  # it waits until the slots can be made longer
            rows.append(self._waiting.popleft())
        places = free[: len(rows)]
        if rows:
            self._mode = None
            admit(self.source.network, self._slots, places, rows, self.prefixes)
        for slot, row in zip(places, rows, strict=True):
            self._running += [None] * (slot + 1 - len(self._running))
            self._running[slot] = row
            self._steps_left[slot] = row.limit
            self._matcher.begin(slot, row.constraint)
        return ended

    def _allocate(self) -> None:
        """Slots for the rows that wait; the ones there are, where they are large enough."""
        rows, length = capacity(self.source.network, self._waiting, self.batch)
        slots = self._slots
        if slots is not None and slots.rows >= rows and slots.length >= length:
            return
        if slots is not None:
            length = max(length, slots.length)
            del slots
        self._forget_slots()
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

    def _release(self) -> None:
        slots = self._slots
        if slots is not None and not (self.keep_cache and worth_keeping(slots.cache)):
            self._forget_slots()

    def _forget_slots(self) -> None:
        self._slots = self._step = None

    def _refuse(self) -> list[Row]:
        """Rows whose constraint allows nothing end before the next step."""
        size = len(self.source.network.head.weight)
        refused = [
            slot
            for slot, row in enumerate(self._running)
            if row is not None and row.constraint is not None
            and not self._matcher.allows_any(slot, size)
        ]  # fmt: skip
        rows = [row for slot in refused if (row := self._running[slot]) is not None]
        for row in rows:
            row.finish = "refused"
        self._drop(refused)
        return rows

    def _look(self, every_token: bool) -> list[Row]:
        """Read from the device what ended, and the tokens that somebody waits for."""
        assert self._slots is not None
        counts, finishes = self._slots.status(len(self._running))
        wanted = [
            (slot, row)
            for slot, row in enumerate(self._running)
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
        self._drop(done)
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

    def _drop(self, places: Sequence[int]) -> None:
        """Free slots."""
        if not places:
            return
        self._mode = None
        if self._slots is not None:
            self._slots.free(places)
        for slot in places:
            self._running[slot] = None
            self._steps_left.pop(slot, None)
            self._matcher.begin(slot, None)
        while self._running and self._running[-1] is None:
            self._running.pop()

    def _compact(self) -> None:
        """Move the last rows into free slots, where fewer rows need be computed then."""
        if self._waiting or self._slots is None:
            return
        count = sum(row is not None for row in self._running)
        most = self._slots.rows
        size = (lambda n: row_bucket(n, most)) if self.on_gpu else (lambda n: n)
        if not count or size(count) >= size(len(self._running)):
            return
        holes = [slot for slot, row in enumerate(self._running[:count]) if row is None]
        last = [slot for slot in range(count, len(self._running)) if self._running[slot]]
        for target, source in zip(holes, last, strict=True):
            row = self._running[source]
            assert row is not None
            self._slots.move(source, target, len(row.prompt) + row.limit)
            self._running[target] = row
            self._steps_left[target] = self._steps_left.pop(source)
            self._matcher.move(source, target)
        self._slots.free(last)
        del self._running[count:]

    def _decode(self, ids: Sequence[int]) -> str:
        assert self.tokenizer is not None
        return str(self.tokenizer.decode(list(ids)))


def _side_by_side(rows: Sequence[Row]) -> list[Row]:
    """Rows that share a prefix one after the other, so that they join together."""
    open_ = [row for row in rows if row.finish is None]
    return [open_[index] for one in group([row.prompt for row in open_]) for index in one.rows]
