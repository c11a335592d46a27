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
from luciola.rollout.engine.running import RunningRows
from luciola.rollout.engine.source import Source
from luciola.rollout.prefixes import group
from luciola.rollout.rows import Row, rows_of
from luciola.types import Request, Sample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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
        self.tokenizer = tokenizer
        self.progress = progress
        self.version = 0
        self._next_id = 0
        self._rows = RunningRows(
            source,
            end_ids=end_ids,
            tokenizer=tokenizer,
            batch=batch,
            stride=stride,
            prefix_entries=prefix_entries,
            keep_cache=keep_cache,
            watch=watch,
        )

    @property
    def batch(self) -> int:
        """Rows in the model at once."""
        return self._rows.batch

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
        self._rows.waiting.extend(rows)
        return id

    def step(self) -> list[Event]:
        """Compute as far as the next look, and say what is new; nothing where nobody waits."""
        known = {id(row): len(row.ids) for row in self._rows.running if row is not None}
        with self._computing():
            seen = self._rows.advance(every_token=True)
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
        self._rows.waiting = deque(row for row in self._rows.waiting if row.request != id)
        self._rows.drop(
            [
                slot
                for slot, row in enumerate(self._rows.running)
                if row is not None and row.request == id
            ]
        )

    def sync(self, version: int) -> None:
        """The model's weights changed: take them over, and forget what was computed with the old
        ones. Rows under way go on with the new ones.
        """
        self.version = version
        self._rows.prefixes.clear()
        if self.source.refresh():
            self._rows.forget_slots()

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """All answers, in the order of the requests, those to one request side by side.

        Raises: ConfigError while requests that were added are under way.
        """
        if self._rows.waiting or self._rows.steps_left:
            raise ConfigError("the engine has requests under way", remedy="Step until they end.")
        self._check(requests)
        rows = rows_of(requests, self.source.network.context)
        try:
            with self._computing():
                if self.source.moved():
                    self.source.refresh()
                    self._rows.prefixes.clear()
                    self._rows.forget_slots()
                self._answer(rows)
        finally:
            self._rows.waiting.clear()
            self._rows.drop(
                [slot for slot, row in enumerate(self._rows.running) if row is not None]
            )
            self._rows.release()
        return [row.sample(self.version) for row in rows]

    def _check(self, requests: Sequence[Request]) -> None:
        if self.tokenizer is None and any(request.stop for request in requests):
            raise ConfigError(
                "stop strings need the sampler's tokenizer", remedy="Pass tokenizer=."
            )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with torch.no_grad(), torch.autocast(self._rows.device.type, enabled=False):
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
            self._rows.batch = min(self.batch, len(unfinished)) // 2
            log.info("out of memory while sampling: %d answers at once, same result", self.batch)
            self._rows.waiting.clear()
            self._rows.running.clear()
            self._rows.steps_left.clear()
            for row in unfinished:
                if row.finish is None:
                    row.restart()
            self._rows.prefixes.clear()
            self._rows.forget_slots()
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _out_of_memory(self, unfinished: list[Row], rows: list[Row]) -> str:
        """Answer rows; what torch said where memory ran out, else ""."""
        self._rows.waiting.extend(_side_by_side(unfinished))
        finished = len(rows) - len(unfinished)
        try:
            while self._rows.waiting or self._rows.steps_left:
                seen = self._rows.advance(every_token=self._rows.watch is not None)
                done = sum(row.finish is not None for row in seen)
                finished += done
                if done and self.progress is not None:
                    self.progress(finished, len(rows))
        except torch.OutOfMemoryError as error:
            return str(error) or "out of memory"
        return ""


def _side_by_side(rows: Sequence[Row]) -> list[Row]:
    """Rows that share a prefix one after the other, so that they join together."""
    open_ = [row for row in rows if row.finish is None]
    return [open_[index] for one in group([row.prompt for row in open_]) for index in one.rows]
