"""How the next token is chosen from the logits: temperature, top-k, top-p, min-p,
typical, each row its own.

Pure functions. Filters act one after the other in that order, on the distribution the one before
left; tokens of equal probability stay or go together. Penalties, which look at what was said
before, act earlier (`rollout.penalties`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from luciola.rollout import noise
from luciola.types import Sampling


@dataclass(frozen=True)
class Settings:
    """The sampling settings of B rows, as (B, 1) tensors.

    Args:
        temperature: 0 where the row is greedy.
        top_k: 0 where off.
        top_p: 1 where off.
        min_p: 0 where off.
        typical_p: 1 where off.
        all_greedy, uses_top_k, uses_top_p, uses_min_p, uses_typical_p: what the rows need,
            known without asking the device.
        largest_k: the largest top_k among the rows.
    """

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    min_p: Tensor
    typical_p: Tensor
    all_greedy: bool
    uses_top_k: bool
    uses_top_p: bool
    uses_min_p: bool
    uses_typical_p: bool
    largest_k: int

    @classmethod
    def of(cls, rows: Sequence[Sampling], device: torch.device | str) -> Settings:
        """Gather the rows' settings on `device`."""
        columns = [
            [row.temperature, row.top_k, row.top_p, row.min_p, row.typical_p] for row in rows
        ]
        table = torch.tensor(columns, dtype=torch.float32, device=device)
        sampled = [row for row in rows if row.temperature > 0]
        return cls(
            temperature=table[:, 0:1],
            top_k=table[:, 1:2],
            top_p=table[:, 2:3],
            min_p=table[:, 3:4],
            typical_p=table[:, 4:5],
            all_greedy=not sampled,
            uses_top_k=any(row.top_k > 0 for row in sampled),
            uses_top_p=any(row.top_p < 1 for row in sampled),
            uses_min_p=any(row.min_p > 0 for row in sampled),
            uses_typical_p=any(row.typical_p < 1 for row in sampled),
            largest_k=max((row.top_k for row in sampled), default=0),
        )


def choose(
    logits: Tensor,
    settings: Settings,
    keys: Tensor,
    position: int | Tensor,
    allowed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Sample one token per row by Gumbel-max, or take the likeliest where the temperature is 0.

    Args:
        logits: (B, V) in any float type.
        settings: of the B rows.
        keys: (B,) int64 noise keys.
        position: index of this token within the answers, one for all or (B,) int64.
        allowed: (B, V) bool of a constraint, True where the token may come; None: all may.

    Returns: tokens (B,) int64, and their log-probability (B,) float32 in nats under the
        distribution they were sampled from. A greedy row has no distribution but a point, so it
        reports the model's own at temperature 1, over the allowed tokens.
    """
    logits = logits.float()
    if allowed is not None:
        logits = logits.masked_fill(~allowed, -torch.inf)
    if settings.all_greedy:
        best, tokens = logits.max(-1)
        return tokens, best - logits.logsumexp(-1)
    scores = filtered(logits, settings)
    noisy = scores + noise.gumbel(keys, position, scores.shape[-1])
    tokens = torch.where(settings.temperature > 0, noisy, scores).argmax(-1)
    return tokens, scores.gather(-1, tokens[:, None])[:, 0] - scores.logsumexp(-1)


def filtered(logits: Tensor, settings: Settings) -> Tensor:
    """Logits over the temperature, -inf for what the filters exclude; greedy rows unchanged."""
    greedy = settings.temperature == 0
    scores = logits / settings.temperature.masked_fill(greedy, 1.0)
    kept = scores
    if settings.uses_top_k:
        kept = top_k(kept, settings.top_k.long(), settings.largest_k)
    if settings.uses_top_p:
        kept = top_p(kept, settings.top_p)
    if settings.uses_min_p:
        kept = min_p(kept, settings.min_p)
    if settings.uses_typical_p:
        kept = typical_p(kept, settings.typical_p)
    return torch.where(greedy, scores, kept)


def top_k(scores: Tensor, k: Tensor, largest: int) -> Tensor:
    """Keep each row's k likeliest tokens; k (B, 1) int64, 0 keeps all; `largest` of the rows' k."""
    best = scores.topk(min(largest, scores.shape[-1])).values
    threshold = best.gather(-1, (k - 1).clamp(0, best.shape[-1] - 1))
    return scores.masked_fill((scores < threshold) & (k > 0), -torch.inf)


def top_p(scores: Tensor, p: Tensor) -> Tensor:
    """Keep the likeliest tokens until their probabilities reach p (B, 1), and at least one.

    Source: nucleus sampling, Holtzman et al. 2020, https://arxiv.org/abs/1904.09751.
    """
    ordered = scores.sort(-1, descending=True).values
    probabilities = ordered.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    last = ((before < p).sum(-1, keepdim=True) - 1).clamp_(min=0)
    return scores.masked_fill((scores < ordered.gather(-1, last)) & (p < 1), -torch.inf)


def min_p(scores: Tensor, p: Tensor) -> Tensor:
    """Keep tokens at least p (B, 1) times as likely as the likeliest.

    Source: Nguyen et al. 2024, https://arxiv.org/abs/2407.01082.
    """
    threshold = scores.amax(-1, keepdim=True) + p.log()  # log 0 is -inf: keeps all
    return scores.masked_fill(scores < threshold, -torch.inf)


def typical_p(scores: Tensor, p: Tensor) -> Tensor:
    """Keep the tokens whose surprise is nearest the expected one until they reach p (B, 1).

    The surprise of a token is -log q, the expected one the distribution's entropy; at least one
    token is kept.
    Source: locally typical sampling, Meister et al. 2022, https://arxiv.org/abs/2202.00666.
    """
    logprobs = scores.log_softmax(-1)
    probabilities = logprobs.exp()
    surprise = -logprobs
    entropy = (probabilities * surprise.masked_fill(probabilities == 0, 0.0)).sum(-1, keepdim=True)
    distance, order = (surprise - entropy).abs().sort(-1)
    before = probabilities.gather(-1, order).cumsum(-1) - probabilities.gather(-1, order)
    last = ((before < p).sum(-1, keepdim=True) - 1).clamp_(min=0)
    farthest = distance.gather(-1, last)
    return scores.masked_fill(((surprise - entropy).abs() > farthest) & (p < 1), -torch.inf)
