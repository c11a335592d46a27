"""Learning from answers that somebody ranked: Bradley-Terry, Plackett-Luce and DPO.

Losses are per pair (P,) or per list (L,); callers sum. Best comes first in every list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from luciola.objectives.objective import cells

DpoKind = Literal["sigmoid", "hinge", "ipo"]


def bradley_terry(
    chosen: Tensor, rejected: Tensor, *, margin: Tensor | None = None, centering: float = 0.0
) -> Tensor:
    """−log σ(c − r − margin) + centering·(c + r)², per pair.

    Source: Bradley & Terry 1952; margin: Touvron et al. 2023, eq. 2, https://arxiv.org/abs/2307.09288;
    centring: Eisenstein et al. 2023, §2, https://arxiv.org/abs/2312.09244.

    Args:
        chosen: (P,) scores of the better answers. Carry the gradient.
        rejected: (P,) scores of the worse ones.
        margin: (P,) by how much the better one should lead; None: 0.
        centering: weight that pulls the scores of a pair to a mean of 0; 0.01 is usual.

    Returns: (P,) losses.
    Raises: ValueError if the shapes differ.
    """
    cells(None, chosen=chosen, rejected=rejected)
    lead = chosen - rejected
    if margin is not None:
        cells(None, lead=lead, margin=margin)
        lead = lead - margin
    losses = -F.logsigmoid(lead)
    return losses + centering * (chosen + rejected).square() if centering else losses


def is_correct(chosen: Tensor, rejected: Tensor) -> Tensor:
    """(P,) bool, True where the better answer scores higher; a tie is wrong."""
    return chosen > rejected


def ranked_bradley_terry(scores: Tensor, mask: Tensor, *, centering: float = 0.0) -> Tensor:
    """The mean of `bradley_terry` over all pairs of each list: a long list counts like a short one.

    Source: Ouyang et al. 2022, eq. 1, https://arxiv.org/abs/2203.02155.

    Args:
        scores: (L, K) of K answers, best first. Carry the gradient.
        mask: (L, K) bool, True where there is an answer.
        centering: as in `bradley_terry`.

    Returns: (L,) losses; those of lists of two equal `bradley_terry`.
    Raises: ValueError if a list has fewer than two answers.
    """
    pairs = _ordered_pairs(scores, mask)
    scores = scores.masked_fill(~mask, 0.0)
    losses = bradley_terry(
        scores[:, :, None].expand_as(pairs),
        scores[:, None, :].expand_as(pairs),
        centering=centering,
    )
    return losses.masked_fill(~pairs, 0.0).sum((1, 2)) / pairs.sum((1, 2))


def ranked_accuracy(scores: Tensor, mask: Tensor) -> Tensor:
    """(L,) share of each list's pairs whose better answer scores higher; a tie is wrong."""
    pairs = _ordered_pairs(scores, mask)
    correct = is_correct(scores[:, :, None], scores[:, None, :]) & pairs
    return correct.sum((1, 2)) / pairs.sum((1, 2))


def plackett_luce(scores: Tensor, mask: Tensor) -> Tensor:
    """Σ_i logsumexp_{j ≥ i}(s_j) − s_i: −log of the probability of the whole ranking.

    Source: Plackett 1975; Rafailov et al. 2023, eq. 18, https://arxiv.org/abs/2305.18290.

    Args:
        scores: (L, K) of K answers, best first. Carry the gradient.
        mask: (L, K) bool, True where there is an answer.

    Returns: (L,) losses; those of lists of two equal `bradley_terry`.
    Raises: ValueError if a list has fewer than two answers.
    """
    _ordered_pairs(scores, mask)
    lowest = torch.finfo(scores.dtype).min
    hidden = scores.masked_fill(~mask, lowest)
    remaining = hidden.flip(1).logcumsumexp(1).flip(1)
    return (remaining - hidden).masked_fill(~mask, 0.0).sum(1)


def _ordered_pairs(scores: Tensor, mask: Tensor) -> Tensor:
    """(L, K, K) bool: [l, i, j] is True where i and j are answers of l and i ranks before j."""
    mask = cells(mask, scores=scores)
    short = (mask.sum(1) < 2).nonzero().flatten().tolist()
    if short:
        raise ValueError(f"a ranking needs two answers, and these lists have fewer: {short}")
    return (mask[:, :, None] & mask[:, None, :]).triu(diagonal=1)


@dataclass(frozen=True)
class Dpo:
    """Per pair (P,): the losses, and the implicit rewards β·log(π / π_ref), detached."""

    losses: Tensor
    chosen_rewards: Tensor
    rejected_rewards: Tensor


def dpo(
    chosen: Tensor,
    rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    *,
    beta: float = 0.1,
    kind: DpoKind = "sigmoid",
    label_smoothing: float = 0.0,
) -> Dpo:
    """Direct preference optimisation, with h = log(π_c / π_ref,c) − log(π_r / π_ref,r).

    sigmoid: −(1 − s)·log σ(βh) − s·log σ(−βh), Rafailov et al. 2023, eq. 7,
    https://arxiv.org/abs/2305.18290, smoothed as by Mitchell 2023,
    https://ericmitchell.ai/cdpo.pdf. hinge: max(0, 1 − βh), Zhao et al. 2023,
    https://arxiv.org/abs/2305.10425. ipo: (h − 1/(2β))², Azar et al. 2023, eq. 17,
    https://arxiv.org/abs/2310.12036.

    Args:
        chosen: (P,) Σ log π over the tokens of the better answer, in nats. Carries the gradient.
        rejected: (P,) of the worse one.
        reference_chosen: (P,) under the reference; no gradient.
        reference_rejected: (P,) under the reference.
        beta: how strongly the policy is held to the reference.
        kind: which loss.
        label_smoothing: s, the share of labels that are wrong; sigmoid only.

    Raises: ValueError if the shapes differ, or label_smoothing is given for another kind.
    """
    cells(
        None,
        chosen=chosen,
        rejected=rejected,
        reference_chosen=reference_chosen,
        reference_rejected=reference_rejected,
    )
    better, worse = chosen - reference_chosen.detach(), rejected - reference_rejected.detach()
    losses = _dpo_losses(better - worse, beta, kind, label_smoothing)
    return Dpo(losses, beta * better.detach(), beta * worse.detach())


def _dpo_losses(lead: Tensor, beta: float, kind: DpoKind, label_smoothing: float) -> Tensor:
    if kind != "sigmoid" and label_smoothing:
        raise ValueError(f"label_smoothing is for kind 'sigmoid', not for {kind!r}: set it to 0")
    if kind == "sigmoid":
        right, wrong = F.logsigmoid(beta * lead), F.logsigmoid(-beta * lead)
        return -(1 - label_smoothing) * right - label_smoothing * wrong
    if kind == "hinge":
        return torch.relu(1 - beta * lead)
    if kind == "ipo":
        return (lead - 1 / (2 * beta)).square()
    raise ValueError(f"unknown DPO loss {kind!r}: use sigmoid, hinge or ipo")
