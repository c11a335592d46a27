"""What rollouts become: answers, token by token, in columns that an update reads.

Columns are (B, T) float32 on the CPU, right-padded, 0 outside `mask`. An update takes some answers,
in the order in which a row holds them, as flat columns (N,), one entry a trained token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from luciola.types import Tokens


@dataclass(frozen=True)
class Rollout:
    """One answer and its score, as the process that sampled it knows it.

    Args:
        index: its place among the iteration's answers, over all processes.
        group: its place's prompt within the iteration.
        prompt: index of the prompt in the data.
        prompt_ids, ids: tokens; the answer's end token is among them where it was sampled.
        finish: why it ended.
        sampled: log-probability of each token under the sampler.
        score: a number, or a number per token.
        parts: the score's components.
    """

    index: int
    group: int
    prompt: int
    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]
    finish: Literal["end", "stop", "length", "refused"]
    sampled: tuple[float, ...]
    score: float | tuple[float, ...]
    parts: Mapping[str, float]
    logprobs: tuple[float, ...] = ()
    reference: tuple[float, ...] = ()
    kls: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    entropies: tuple[float, ...] = ()

    @property
    def tokens(self) -> Tokens:
        """As an example whose answer is trained."""
        ids = np.array(self.prompt_ids + self.ids, np.int32)
        trained = np.arange(len(ids)) >= len(self.prompt_ids)
        return Tokens(ids, trained, prefix=len(self.prompt_ids))

    @property
    def total_score(self) -> float:
        """The score as one number."""
        return sum(self.score) if isinstance(self.score, tuple) else self.score


@dataclass
class Experience:
    """All answers of an iteration, the same in every process.

    Args:
        rollouts: by index.
        mask: (B, T) bool, True on the answers' tokens.
        columns: (B, T) float32 by name: logprobs, reference, kls, values, entropies, and what an
            algorithm adds (rewards, advantages, returns, weights).
    """

    rollouts: Sequence[Rollout]
    mask: Tensor
    columns: dict[str, Tensor] = field(default_factory=dict)
    samples: list[Tokens] = field(default_factory=list)

    @classmethod
    def of(cls, rollouts: Sequence[Rollout]) -> Experience:
        """The columns that every rollout brings along."""
        ordered = sorted(rollouts, key=lambda one: one.index)
        lengths = [len(one.ids) for one in ordered]
        mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
        columns = {
            name: _padded([getattr(one, name) for one in ordered], mask)
            for name in ("sampled", "logprobs", "reference", "kls", "values", "entropies")
            if getattr(ordered[0], name)
        }
        return cls(ordered, mask, columns, [one.tokens for one in ordered])

    def __len__(self) -> int:
        return len(self.rollouts)

    @property
    def groups(self) -> Tensor:
        """(B,) int64: answers to one prompt share an id."""
        return torch.tensor([one.group for one in self.rollouts])

    @property
    def ended(self) -> Tensor:
        """(B,) bool: the answer came to its own end."""
        return torch.tensor([one.finish != "length" for one in self.rollouts])

    @property
    def scores(self) -> Tensor:
        """(B,) float32, or (B, T) where the reward scores tokens."""
        if all(isinstance(one.score, float) for one in self.rollouts):
            return torch.tensor([one.score for one in self.rollouts], dtype=torch.float32)
        return _padded([_by_token(one) for one in self.rollouts], self.mask)

    def flat(self, members: Sequence[int]) -> dict[str, Tensor]:
        """(N,) of each column, the tokens of `members` one after the other."""
        chosen = list(members)
        mask = self.mask[chosen]
        return {name: column[chosen][mask] for name, column in self.columns.items()}

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        return {
            "rollouts": [vars(one) | {"parts": dict(one.parts)} for one in self.rollouts],
            "columns": dict(self.columns),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Experience:
        """What `state_dict` gave."""
        made = cls.of([Rollout(**fields) for fields in state["rollouts"]])
        made.columns = dict(state["columns"])
        return made


def by_token(scores: Tensor, mask: Tensor) -> Tensor:
    """(B, T) of scores (B,) or (B, T): one for a whole answer stands at its last token."""
    if scores.shape == mask.shape:
        return scores * mask
    return torch.zeros(mask.shape).scatter(1, mask.sum(1, keepdim=True) - 1, scores[:, None])


def _by_token(one: Rollout) -> tuple[float, ...]:
    """A score per token: one for the whole answer belongs to its last."""
    if isinstance(one.score, tuple):
        return one.score
    return (0.0,) * (len(one.ids) - 1) + (one.score,)


def _padded(rows: Sequence[Sequence[float]], mask: Tensor) -> Tensor:
    """(B, T) float32, 0 where a row has ended."""
    padded = torch.zeros(mask.shape, dtype=torch.float32)
    padded[mask] = torch.tensor([value for row in rows for value in row], dtype=torch.float32)
    return padded
