"""ILQL's loss from whole tables over the vocabulary, as its sources write it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from luciola.objectives.ilql import Ilql, ilql_loss


def loss_of_tables(
    logits: Tensor,
    qs: Sequence[Tensor],
    target_qs: Sequence[Tensor],
    values: Tensor,
    actions: Tensor,
    rewards: Tensor,
    continues: Tensor,
    *,
    tau: float = 0.7,
    gamma: float = 0.99,
    beta: float = 0.0,
) -> Ilql:
    """`ilql_loss` of (B, A, V) tables, read at the (B, A) actions."""

    def at(table: Tensor) -> Tensor:
        return table.gather(2, actions[..., None])[..., 0]

    def logprobs(table: Tensor) -> Tensor:
        """What padding holds stays there; its gradient is not formed."""
        nothing = ~continues[:, :-1]
        kept = at(table.masked_fill(nothing[..., None], 0.0).log_softmax(-1))
        return kept.masked_fill(nothing, torch.nan)

    return ilql_loss(
        logprobs(logits),
        [at(q) for q in qs],
        [logprobs(q) for q in qs],
        [at(q) for q in target_qs],
        values,
        rewards,
        continues,
        tau=tau,
        gamma=gamma,
        beta=beta,
    )
