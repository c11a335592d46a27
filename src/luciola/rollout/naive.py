"""The reference sampler: exact, for any causal language model, plain enough to be checked.

Every row's answer depends on its own prompt, settings and seed alone, never on the batch it was in
(to the token in float32; bf16 rounds differently in different shapes). Common prefixes are computed
once. Left out: taking new rows into a running batch, compiled kernels; beam and contrastive search
have samplers of their own.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from luciola.errors import ConfigError
from luciola.rollout.batch import (
    Batch,
    EqualBatch,
    Forward,
    PaddedBatch,
    context_length,
    longest_exact,
)
from luciola.rollout.cache import Prefix, PrefixCache, snapshot
from luciola.rollout.penalties import History
from luciola.rollout.prefixes import Group, group
from luciola.rollout.rows import Row, rows_of
from luciola.rollout.steering import Steering
from luciola.rollout.strategies import Settings, choose
from luciola.types import Request, Sample

log = logging.getLogger(__name__)

FINISHED_SHARE = 0.25
"""Rows are dropped from the batch once this share of it is finished; dropping copies the cache."""


class NaiveSampler:
    """Answers requests with a model as it is; `luciola.types.Sampler`."""

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        end_ids: Collection[int],
        tokenizer: PreTrainedTokenizerBase | None = None,
        batch: int | None = None,
        stride: int | None = None,
        prefixes: PrefixCache[Prefix] | None = None,
        progress: Callable[[int, int], None] | None = None,
        steering: Steering | None = None,
        watch: Callable[[int, Sequence[int]], None] | None = None,
    ) -> None:
        """Sample from `model` where it lies.

        Args:
            model: a causal language model, with or without an adapter.
            end_ids: ids that end an answer; the one sampled is part of it.
            tokenizer: decodes answers for stop strings; not needed without them.
            batch: rows in the model at once; None: 64 on a CPU, 256 on a GPU.
            stride: steps between two looks for finished rows; None: 1 on a CPU, 8 on a GPU.
            prefixes: where computed prefixes are kept between calls.
            progress: called now and then with (answers finished, answers in all).
            steering: changes the logits by what the model's states say; None: they stay.
            watch: called with (place of the answer among all answers, its new tokens) every
                `stride` steps; what it raises ends the sampling.
        """
        self.model = model
        self.forward = Forward(model, steering)
        self.end_ids = frozenset(end_ids)
        self.tokenizer = tokenizer
        on_cpu = self.forward.device.type == "cpu"
        self.batch = batch or (64 if on_cpu else 256)
        self.stride = stride or (1 if on_cpu else 8)
        self.prefixes: PrefixCache[Prefix] = prefixes if prefixes is not None else PrefixCache()
        self.progress = progress
        self.watch = watch
        self.version = 0

    def sync(self, version: int) -> None:
        """The model's weights changed: what was computed with the old ones is forgotten."""
        self.version = version
        self.prefixes.clear()

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """All answers, in the order of the requests, those to one request side by side."""
        if self.tokenizer is None and any(request.stop for request in requests):
            raise ConfigError(
                "stop strings need the sampler's tokenizer", remedy="Pass tokenizer=."
            )
        rows = rows_of(requests, context_length(self.model))
        with evaluating(self.model), torch.no_grad():
            self._answer([row for row in rows if row.finish is None], len(rows))
        return [row.sample(self.version) for row in rows]

    def _answer(self, rows: list[Row], total: int) -> None:
        """Answer every row; with half as many at once, from now on, where memory runs out.

        Raises: torch.OutOfMemoryError where one row by itself is too much.
        """
        while full := self._out_of_memory(rows, total):
            rows = [row for row in rows if row.finish is None]
            if min(self.batch, len(rows)) < 2:
                raise torch.OutOfMemoryError(full)
            self.batch = min(self.batch, len(rows)) // 2
            log.info("out of memory while sampling: %d answers at once, same result", self.batch)
            for row in rows:
                row.restart()
            self.prefixes.clear()
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _out_of_memory(self, rows: list[Row], total: int) -> str:
        """Answer rows; what torch said where memory ran out, else "": its error holds the frames,
        and with them the cache.
        """
        finished = total - len(rows)
        try:
            for batch, chunk in self._batches(rows):
                self._run(batch, chunk)
                finished += len(chunk)
                if self.progress is not None:
                    self.progress(finished, total)
        except torch.OutOfMemoryError as error:
            return str(error) or "out of memory"
        return ""

    def _batches(self, rows: list[Row]) -> Iterator[tuple[Batch, list[Row]]]:
        """Rows in batches of alike lengths, each batch with its prompts computed."""
        if not rows:
            return
        longest = max(len(row.prompt) for row in rows)
        slots = 2 * longest + max(row.limit for row in rows)  # prefix and rest may both be padded
        if slots > longest_exact(self.model):
            yield from self._equal_batches(rows)
        else:
            yield from self._padded_batches(rows)

    def _equal_batches(self, rows: list[Row]) -> Iterator[tuple[Batch, list[Row]]]:
        lengths = sorted({len(row.prompt) for row in rows})
        for length in lengths:
            same = [row for row in rows if len(row.prompt) == length]
            for start in range(0, len(same), self.batch):
                chunk = same[start : start + self.batch]
                yield EqualBatch(self.forward, [row.prompt for row in chunk]), chunk

    def _padded_batches(self, rows: list[Row]) -> Iterator[tuple[Batch, list[Row]]]:
        placed = self._placed(rows)
        for start in range(0, len(placed), self.batch):
            part = placed[start : start + self.batch]
            computed = {
                one: self._prefix(rows, one) for one in dict.fromkeys(one for one, _ in part)
            }
            chunk = [row for _, row in part]
            suffixes = [row.prompt[one.prefix :] for one, row in part]
            prefixes = [computed[one] for one, _ in part]
            yield PaddedBatch(self.forward, prefixes, suffixes), chunk

    def _placed(self, rows: list[Row]) -> list[tuple[Group, Row]]:
        """Rows with their groups, groups side by side, like lengths side by side."""
        if len(rows) == 1:  # keep the whole prompt for the next question about the same schema
            groups = [Group(len(rows[0].prompt) - 1, (0,))]
        else:
            groups = group([row.prompt for row in rows])
        placed = [(one, rows[index]) for one in groups for index in one.rows]
        return sorted(placed, key=lambda pair: (pair[0].prefix, pair[0].rows, len(pair[1].prompt)))

    def _prefix(self, rows: list[Row], one: Group) -> Prefix | None:
        """The group's prefix, computed as far as it is not kept from before."""
        ids = rows[one.rows[0]].prompt[: one.prefix]
        if not ids:
            return None
        known = self.prefixes.longest(ids)
        if known is None or len(known.ids) < len(ids):
            known = self._extended(known, ids)
            self.prefixes.keep(known)
        return known

    def _extended(self, known: Prefix | None, ids: tuple[int, ...]) -> Prefix:
        """`known` continued to `ids`; without a mask, one row is causal by itself."""
        start = len(known.ids) if known else 0
        batch = PaddedBatch(self.forward, [known], [ids[start:]])
        return snapshot(batch.cache, ids)

    def _run(self, batch: Batch, rows: list[Row]) -> None:
        """Sample until every row is finished."""
        position = 0
        settings, keys, history = self._settings(rows)
        constrained = any(row.constraint is not None for row in rows)
        limit = max(row.limit for row in rows)
        while True:
            steps = 1 if constrained else min(self.stride, limit - position)
            tokens: list[Tensor] = []
            logprobs: list[Tensor] = []
            for step in range(steps):
                if step:
                    batch.step(tokens[-1])
                allowed = self._allowed(rows, batch.logits.shape[1]) if constrained else None
                logits = batch.logits if history is None else history(batch.logits, allowed)
                chosen = choose(logits, settings, keys, position, allowed)
                tokens.append(chosen[0])
                if history is not None:
                    history.append(chosen[0])
                logprobs.append(chosen[1])
                position += 1
            self._take(rows, torch.stack(tokens, 1), torch.stack(logprobs, 1))
            going = [index for index, row in enumerate(rows) if row.finish is None]
            if not going:
                return
            last = tokens[-1]
            if len(going) <= (1 - FINISHED_SHARE) * len(rows) and batch.select(going):
                last = last[torch.tensor(going, device=last.device)]
                rows = [rows[index] for index in going]
                settings, keys, history = self._settings(rows)
            batch.step(last)

    def _settings(self, rows: list[Row]) -> tuple[Settings, Tensor, History | None]:
        device = self.forward.device
        keys = torch.tensor([row.key for row in rows], device=device)
        samplings = [row.sampling for row in rows]
        said = [(row.prompt, row.ids) for row in rows]
        return Settings.of(samplings, device), keys, History.of(samplings, said, device)

    def _allowed(self, rows: list[Row], size: int) -> Tensor:
        """(B, V) bool: what the rows' constraints allow; a row that may say nothing is refused."""
        allowed = np.ones((len(rows), size), dtype=bool)
        for index, row in enumerate(rows):
            if row.constraint is None or row.finish is not None:
                continue
            words = row.constraint.bitmask(row.state)[0]
            bits = np.unpackbits(words.astype("<i4").view(np.uint8), bitorder="little")[:size]
            allowed[index] = np.pad(bits, (0, size - len(bits))).astype(bool)
            if not allowed[index].any():
                row.finish = "refused"
        return torch.from_numpy(allowed).to(self.forward.device)

    def _take(self, rows: list[Row], tokens: Tensor, logprobs: Tensor) -> None:
        """Hand a block of tokens, (B, steps), to the rows."""
        for row, ids, values in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
            before = len(row.ids)
            row.take(ids, values, self.end_ids, self._decode)
            if row.constraint is not None and len(row.ids) > before:
                row.state = row.constraint.advance(row.state, np.array(row.ids[before:], np.int64))
            if self.watch is not None and len(row.ids) > before:
                self.watch(row.place, row.ids[before:])

    def _decode(self, ids: Sequence[int]) -> str:
        assert self.tokenizer is not None
        return str(self.tokenizer.decode(list(ids)))


@contextmanager
def evaluating(model: PreTrainedModel) -> Iterator[None]:
    """The model without dropout, and afterwards as it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
