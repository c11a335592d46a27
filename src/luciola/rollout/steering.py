"""What reads the model's own states while it answers: the model-side hook beside the constraint.

A constraint sees tokens alone and stays free of torch; steering sees states, and changes the
logits before temperature and filters act.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from luciola.errors import ConfigError
from luciola.models.q_heads import QHeads
from luciola.objectives.ilql import decode_scores


class Steering(Protocol):
    """Changes what is said next."""

    def scores(self, logits: Tensor, states: Tensor, previous: Tensor) -> Tensor:
        """(B, V) in the place of the logits.

        Args:
            logits: (B, V) of the model.
            states: (B, H) that its output head made them from.
            previous: (B,) int64, the token before.
        """
        ...


class Advantage:
    """ILQL's: log softmax(logits) + beta · (min Q - V).

    Source: Snell et al. 2022, https://arxiv.org/abs/2206.11871, section 4.3.
    Args:
        heads: trained with the model that answers.
        beta: how much the advantage counts; 0: the language model alone.
        forbidden: (V, V) bool, True where the column's token may not follow the row's; taken out
            before the softmax. None: every token may follow every other.

    Raises: ConfigError if `forbidden` has another shape or type.
    """

    def __init__(self, heads: QHeads, beta: float, forbidden: Tensor | None = None) -> None:
        self.heads = heads
        self.beta = beta
        self.forbidden = forbidden
        size = heads.vocabulary
        if forbidden is not None and (
            forbidden.shape != (size, size) or forbidden.dtype != torch.bool
        ):
            raise ConfigError(
                f"forbidden must be a bool tensor of {size} × {size}, "
                f"got {forbidden.dtype} of {' × '.join(map(str, forbidden.shape))}"
            )

    @torch.no_grad()
    def scores(self, logits: Tensor, states: Tensor, previous: Tensor) -> Tensor:
        """Scores for `choose`, which applies temperature and top-k."""
        states = states.float()
        return decode_scores(
            logits.float(),
            self.heads.targets(states),
            self.heads.v_head(states),
            beta=self.beta,
            top_k=0,
            forbidden=None if self.forbidden is None else self.forbidden[previous],
        )
