"""The next tokens of the running rows, chosen on the device from the rows' own settings.

The same functions as the reference sampler's, over settings that lie in tensors; a `Mode` says
which of them the running rows need at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from luciola.rollout.engine import slots as at
from luciola.rollout.engine.slots import Slots
from luciola.rollout.penalties import PADDING, looks_back, penalised
from luciola.rollout.rows import Row
from luciola.rollout.strategies import Settings, choose


@dataclass(frozen=True)
class Mode:
    """What some of the running rows need; what none needs is not computed.

    Args:
        greedy: no row draws.
        top_k: at least the largest top_k; 0: none has one.
        top_p, min_p, typical_p, constrained: whether some row has it.
        looks_back, counts: whether some row has penalties or n-grams; counts its answer's tokens.
        ngrams: sizes.
    """

    greedy: bool = True
    top_k: int = 0
    top_p: bool = False
    min_p: bool = False
    typical_p: bool = False
    constrained: bool = False
    looks_back: bool = False
    counts: bool = False
    ngrams: tuple[int, ...] = ()

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Mode:
        """Of the running rows."""
        every = {row.sampling for row in rows}
        drawn = [s for s in every if s.temperature > 0]
        largest = max((s.top_k for s in drawn), default=0)
        return cls(
            greedy=not drawn,
            top_k=1 << (largest - 1).bit_length() if largest > 0 else 0,
            top_p=any(s.top_p < 1 for s in drawn),
            min_p=any(s.min_p > 0 for s in drawn),
            typical_p=any(s.typical_p < 1 for s in drawn),
            constrained=any(row.constraint is not None for row in rows),
            looks_back=any(map(looks_back, every)),
            counts=any(s.frequency_penalty or s.presence_penalty for s in every),
            ngrams=tuple(sorted({s.no_repeat_ngram for s in every} - {0})),
        )

    @property
    def plain(self) -> bool:
        """Whether temperature is all there is, so that nothing needs all logits at once."""
        return self in (Mode(greedy=True), Mode(greedy=False))


def chosen(
    logits: Tensor, slots: Slots, rows: int, length: int, mode: Mode
) -> tuple[Tensor, Tensor]:
    """Tokens (B,) int64 and log-probabilities (B,) float32 of the first B rows, as `choose` has
    them.

    Args:
        logits: (B, V) float32.
        length: beyond every row's tokens.
    """
    table, settings = slots.table[:, :rows], slots.settings[:, :rows, None]
    allowed = None
    if mode.constrained:
        allowed = unpacked(slots.mask[:rows], logits.shape[-1])
    if mode.looks_back:
        total = table[at.PROMPT] + table[at.COUNT]
        ids = slots.ids[:rows, :length]
        logits = penalised(
            logits,
            behind_padding(ids, torch.zeros_like(total), total),
            behind_padding(ids, table[at.PROMPT], total) if mode.counts else None,
            (settings[at.REPETITION], settings[at.FREQUENCY], settings[at.PRESENCE]),
            {size: table[at.NGRAM] == size for size in mode.ngrams},
            allowed,
        )
    return choose(
        logits,
        Settings(
            temperature=settings[at.TEMPERATURE],
            top_k=settings[at.TOP_K],
            top_p=settings[at.TOP_P],
            min_p=settings[at.MIN_P],
            typical_p=settings[at.TYPICAL_P],
            all_greedy=mode.greedy,
            uses_top_k=mode.top_k > 0,
            uses_top_p=mode.top_p,
            uses_min_p=mode.min_p,
            uses_typical_p=mode.typical_p,
            largest_k=mode.top_k,
        ),
        table[at.KEY],
        table[at.COUNT],
        allowed,
    )


def advance(slots: Slots, rows: int, tokens: Tensor, logprobs: Tensor, ends: Tensor) -> None:
    """Append tokens (B,) to the first B rows that are not finished, and see which now are.

    Args:
        ends: (E,) int64 tokens that end an answer.
    """
    table = slots.table[:, :rows]
    going = table[at.FINISH] == at.GOING
    where = (table[at.POSITION] + 1).clamp(max=slots.length - 1)[:, None]
    for kept, new in ((slots.ids, tokens), (slots.logprobs, logprobs)):
        part = kept[:rows]
        part.scatter_(1, where, torch.where(going, new, part.gather(1, where)[:, 0])[:, None])
    ended = going & (tokens[:, None] == ends).any(1)
    table[at.TOKEN] = torch.where(going, tokens, table[at.TOKEN])
    table[at.POSITION] += going
    table[at.COUNT] += going
    full = going & ~ended & (table[at.COUNT] >= table[at.LIMIT])
    table[at.FINISH] += ended * at.ENDED + full * at.FULL


def behind_padding(ids: Tensor, first: Tensor, end: Tensor) -> Tensor:
    """(B, T) the ids from `first` to `end` (B,) of each row, at the right behind padding."""
    T = ids.shape[1]
    place = torch.arange(T, device=ids.device) - T + end[:, None]
    found = ids.gather(1, place.clamp(min=0))
    return found.masked_fill(place < first[:, None], PADDING)


def unpacked(words: Tensor, size: int) -> Tensor:
    """(B, V) bool from (B, ceil(V / 32)) int32; bit v % 32 of word v // 32 is token v."""
    bits = torch.arange(32, device=words.device, dtype=torch.int32)
    return ((words[..., None] >> bits) & 1).bool().flatten(1)[:, :size]
