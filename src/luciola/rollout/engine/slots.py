"""The running rows on the device: keys and values, and what each row has and wants.

Allocated once; a row is a slot, and the running rows are the first slots. Whether an answer is
finished is decided on the device, so the host need not look after every token.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from luciola.rollout.engine.forward import Tables
from luciola.rollout.engine.network import Network
from luciola.rollout.rows import Row

TOKEN, POSITION, COUNT, LIMIT, KEY, PROMPT, NGRAM, FINISH = range(8)
"""Of a row: its last token and where that stands; tokens of its answer so far and at most; the key
of its noise; tokens of its prompt; its `no_repeat_ngram`; why it is finished."""
TEMPERATURE, TOP_K, TOP_P, MIN_P, TYPICAL_P, REPETITION, FREQUENCY, PRESENCE = range(8)
GOING, ENDED, FULL, IDLE = range(4)
"""Of FINISH: not finished; by an end token; by its limit; nobody's slot."""


class Slots:
    """Room for `rows` rows of `length` tokens, prompt and answer together.

    Args:
        cache: (layers, 2, rows, H_kv, length, D) keys and values.
        table: (8, rows) int64; its rows are named above.
        settings: (8, rows) float32, likewise.
        ids, logprobs: (rows, length) int64 and float32: a row's tokens where they stand, and the
            log-probabilities of those that it sampled.
        mask: (rows, ceil(V / 32)) int32, which tokens a constraint allows.
    """

    def __init__(self, network: Network, rows: int, length: int) -> None:
        like = network.embedding
        self.rows, self.length = rows, length
        self.device = like.device
        self.cache = like.new_zeros(
            len(network.layers), 2, rows, network.kv_heads, length, network.head_size
        )  # what is masked must still be finite
        self.tables = Tables(network, length)
        self.table = torch.zeros(8, rows, dtype=torch.int64, device=self.device)
        self.table[FINISH] = IDLE
        self.settings = torch.zeros(8, rows, device=self.device)
        self.ids = torch.zeros(rows, length, dtype=torch.int64, device=self.device)
        self.logprobs = torch.zeros(rows, length, device=self.device)
        words = -(-len(network.head.weight) // 32)
        self.mask = torch.full((rows, words), -1, dtype=torch.int32, device=self.device)

    def place(self, slots: Sequence[int], rows: Sequence[Row]) -> None:
        """Let rows begin in these slots; keys and values of all but a prompt's last token are
        there.
        """
        at = torch.tensor(slots, device=self.device)
        columns = [
            (r.prompt[-1], len(r.prompt) - 1, 0, r.limit, r.key, len(r.prompt),
             r.sampling.no_repeat_ngram, GOING)
            for r in rows
        ]  # fmt: skip
        self.table[:, at] = torch.tensor(columns, dtype=torch.int64).t().to(self.device)
        settings = [
            (s.temperature, s.top_k, s.top_p, s.min_p, s.typical_p,
             s.repetition_penalty, s.frequency_penalty, s.presence_penalty)
            for s in (r.sampling for r in rows)
        ]  # fmt: skip
        self.settings[:, at] = torch.tensor(settings, dtype=torch.float32).t().to(self.device)
        ids = np.zeros((len(rows), max(len(r.prompt) for r in rows)), np.int64)
        for index, r in enumerate(rows):
            ids[index, : len(r.prompt)] = r.prompt
        self.ids[at, : ids.shape[1]] = torch.from_numpy(ids).to(self.device)

    def free(self, slots: Sequence[int]) -> None:
        """Nobody's from now on; they are computed along without effect."""
        at = torch.tensor(slots, device=self.device)
        self.table[:, at] = 0
        self.table[FINISH, at] = IDLE

    def move(self, source: int, target: int, tokens: int) -> None:
        """A row of so many tokens to another slot."""
        self.cache[:, :, target, :, :tokens] = self.cache[:, :, source, :, :tokens]
        for part in (self.table, self.settings):
            part[:, target] = part[:, source]
        for part in (self.ids, self.logprobs, self.mask):
            part[target] = part[source]

    def share(self, source: int, targets: Sequence[int], tokens: int) -> None:
        """Copy the first keys and values of one slot to others."""
        at = torch.tensor(targets, device=self.device)
        self.cache[:, :, at, :, :tokens] = self.cache[:, :, source, None, :, :tokens]

    def status(self, rows: int) -> tuple[list[int], list[int]]:
        """Of the first rows: tokens of their answers, and whether they are finished."""
        count, finish = self.table[COUNT : FINISH + 1 : FINISH - COUNT, :rows].tolist()
        return count, finish

    def answers(
        self, slots: Sequence[int], starts: Sequence[int], ends: Sequence[int]
    ) -> list[tuple[list[int], list[float]]]:
        """Tokens and log-probabilities of slots, from one place in the row to another."""
        if not slots:
            return []
        at = torch.tensor(slots, device=self.device)
        low, high = min(starts), max(ends)
        ids = self.ids[at, low:high].tolist()
        logprobs = self.logprobs[at, low:high].tolist()
        return [
            (one[start - low : end - low], other[start - low : end - low])
            for one, other, start, end in zip(ids, logprobs, starts, ends, strict=True)
        ]


def bytes_per_token(network: Network) -> int:
    """Of keys and values."""
    numbers = 2 * len(network.layers) * network.kv_heads * network.head_size
    return numbers * network.embedding.element_size()
