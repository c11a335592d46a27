"""What was said before makes tokens less likely, or forbids them; each row has its own settings.

Repetition penalty and n-grams look at prompt and answer, frequency and presence at the answer
alone. Off for every row, none of it is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from luciola.types import Sampling

PADDING = -1
"""Stands before shorter rows; never an id."""
Said = tuple[Sequence[int], Sequence[int]]
"""The ids of a row's prompt, and of its answer so far."""


class History:
    """The tokens of B rows so far, and what follows from them for the next.

    Args:
        samplings: of the rows.
        said: what they have so far.
        device: where the logits are.
    """

    def __init__(
        self, samplings: Sequence[Sampling], said: Sequence[Said], device: torch.device | str
    ) -> None:
        columns = [
            [row.repetition_penalty, row.frequency_penalty, row.presence_penalty]
            for row in samplings
        ]
        table = torch.tensor(columns, dtype=torch.float32, device=device)
        self.repetition, self.frequency, self.presence = table[:, 0:1], table[:, 1:2], table[:, 2:3]
        self.counts_answer = any(row.frequency_penalty or row.presence_penalty for row in samplings)
        self.ngrams = {
            size: torch.tensor([row.no_repeat_ngram == size for row in samplings], device=device)
            for size in sorted({row.no_repeat_ngram for row in samplings} - {0})
        }
        self.ids = _padded([[*prompt, *answer] for prompt, answer in said], device)
        self.answers = _padded([answer for _, answer in said], device)

    @classmethod
    def of(
        cls, samplings: Sequence[Sampling], said: Sequence[Said], device: torch.device | str
    ) -> History | None:
        """The history of rows of which at least one needs it; else None."""
        return cls(samplings, said, device) if any(map(looks_back, samplings)) else None

    def append(self, tokens: Tensor) -> None:
        """One more token per row, (B,) int64."""
        self.ids = torch.cat([self.ids, tokens[:, None]], -1)
        self.answers = torch.cat([self.answers, tokens[:, None]], -1)

    def __call__(self, logits: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Logits (B, V) float32 after all penalties, -inf where an n-gram would come twice.

        Args:
            logits: (B, V) in any float type.
            allowed: (B, V) bool of a constraint. Where n-grams forbid all that it allows, the
                row's n-grams are let through.
        """
        return penalised(
            logits,
            self.ids,
            self.answers if self.counts_answer else None,
            (self.repetition, self.frequency, self.presence),
            self.ngrams,
            allowed,
        )

    def select(self, rows: Tensor) -> None:
        """Rows in another order, some of them left out or taken several times; (B,) int64."""
        self.ids, self.answers = self.ids[rows], self.answers[rows]
        self.repetition, self.frequency = self.repetition[rows], self.frequency[rows]
        self.presence = self.presence[rows]
        self.ngrams = {size: mask[rows] for size, mask in self.ngrams.items()}


def looks_back(sampling: Sampling) -> bool:
    """Whether these settings depend on what was said before."""
    return bool(
        sampling.repetition_penalty != 1
        or sampling.frequency_penalty
        or sampling.presence_penalty
        or sampling.no_repeat_ngram
    )


def penalised(
    logits: Tensor,
    ids: Tensor,
    answers: Tensor | None,
    penalties: tuple[Tensor, Tensor, Tensor],
    ngrams: Mapping[int, Tensor],
    allowed: Tensor | None = None,
) -> Tensor:
    """Logits (B, V) float32 after all penalties, -inf where an n-gram would come twice.

    Args:
        logits: (B, V) in any float type.
        ids: (B, T) prompt and answer of each row, behind padding.
        answers: (B, T) answers alone, behind padding; None where no row's answer is counted.
        penalties: repetition, frequency and presence, each (B, 1).
        ngrams: (B,) bool for each size, True for the rows that have it.
        allowed: as of `History`.
    """
    for_repetition, frequency, presence = penalties
    scores = repetition(logits.float(), ids, for_repetition)
    if answers is not None:
        counts = occurrences(answers, scores.shape[-1])
        scores = scores - frequency * counts - presence * (counts > 0)
    for size, rows in ngrams.items():
        forbidden = repeated(ids, size, scores.shape[-1]) & rows[:, None]
        left = ~forbidden if allowed is None else ~forbidden & allowed
        forbidden &= left.any(-1, keepdim=True)
        scores = scores.masked_fill(forbidden, -torch.inf)
    return scores


def repetition(scores: Tensor, ids: Tensor, penalty: Tensor) -> Tensor:
    """Logits (B, V) of the tokens in ids (B, T) over the penalty (B, 1), negative ones times it.

    Source: Keskar et al. 2019, section 4.1, https://arxiv.org/abs/1909.05858; negative logits are
    multiplied, else a penalty would make them likelier.
    """
    seen = occurrences(ids, scores.shape[-1]) > 0
    lowered = torch.where(scores > 0, scores / penalty, scores * penalty)
    return torch.where(seen & (penalty != 1), lowered, scores)


def occurrences(ids: Tensor, size: int) -> Tensor:
    """(B, V) float32: how often each token stands in ids (B, T), padding apart."""
    counts = torch.zeros(len(ids), size, device=ids.device)
    return counts.scatter_add_(1, ids.clamp(min=0), (ids != PADDING).float())


def repeated(ids: Tensor, size: int, vocabulary: int) -> Tensor:
    """(B, V) bool: tokens that would end a sequence of `size` which ids (B, T) already hold.

    Source: Paulus et al. 2017, section 2.5, https://arxiv.org/abs/1705.04304.
    """
    found = torch.zeros(len(ids), vocabulary, dtype=torch.bool, device=ids.device)
    if ids.shape[1] < size:
        return found
    windows = ids.unfold(1, size, 1)  # (B, T - size + 1, size)
    tail = ids[:, ids.shape[1] - size + 1 :]
    matches = (windows[..., :-1] == tail[:, None]).all(-1) & (windows[..., 0] != PADDING)
    last = windows[..., -1].clamp(min=0)
    return torch.zeros_like(found, dtype=torch.float32).scatter_add_(1, last, matches.float()) > 0


def _padded(rows: Sequence[Sequence[int]], device: torch.device | str) -> Tensor:
    """(B, T) int64, shorter rows behind padding."""
    width = max(map(len, rows))
    padded = [[PADDING] * (width - len(row)) + list(row) for row in rows]
    return torch.tensor(padded, dtype=torch.int64, device=device).reshape(len(rows), width)
