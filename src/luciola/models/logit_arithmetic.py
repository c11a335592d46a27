"""What is read off logits, and the gradient of that: the arithmetic of one piece of `token_scores`.

All of it in float32 (float64 for float64 logits), over logits in the type of the products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from luciola.models.head import Finish
from luciola.objectives.distributions import entropy_of
from luciola.objectives.kl import kl_of


@dataclass(frozen=True)
class Wanted:
    """What is read of each token's distribution beside its log-probability.

    Args:
        temperature: logits are divided by it.
        best: the most likely token.
        entropy: of the distribution.
    """

    temperature: float = 1.0
    best: bool = False
    entropy: bool = False


Read = tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]
"""(N,) log-probabilities and logits of the targets, best tokens, entropies and KLs."""


def read_logits(
    logits: Tensor, targets: Tensor, finish: Finish, wanted: Wanted, reference: Tensor | None
) -> Read:
    """Of (N, V) unfinished logits; differentiable.

    Args:
        targets: (N,) int64.
        reference: (N, V) log-probabilities that the KL is to; None: no KL.
    """
    scaled = _scaled(finish.finished(logits), wanted)
    logprobs = F.log_softmax(scaled, -1, dtype=wide(logits))
    at = targets[:, None]
    return (
        logprobs.gather(1, at)[:, 0],
        scaled.gather(1, at)[:, 0].to(wide(logits)),
        scaled.argmax(-1) if wanted.best else None,
        entropy_of(logprobs) if wanted.entropy else None,
        None if reference is None else kl_of(logprobs, reference),
    )


def gradient_of(
    logits: Tensor,
    targets: Tensor,
    finish: Finish,
    wanted: Wanted,
    outer: tuple[Tensor | None, ...],
    read: tuple[Tensor | None, Tensor | None],
    reference: Tensor | None,
) -> Tensor:
    """The gradient of (N, V) unfinished logits, in their type.

    With p the probabilities and e the target's unit vector: e - p of a log-probability, e of a
    logit, -p · (log p + H) of an entropy, p · (log p - log q - KL) of a KL.
    Args:
        outer: the loss's gradients of `read_logits`' outputs, each (N,) or None, without that of
            the best tokens.
        read: (N,) entropies and KLs that it gave.
    """
    of_logprobs, of_targets, of_entropies, of_kls = outer
    finished = finish.finished(logits)
    scaled = _scaled(finished, wanted)
    slope = scaled.new_zeros(len(scaled), dtype=wide(logits))
    if of_logprobs is not None:
        slope = slope - of_logprobs
    if of_entropies is None and of_kls is None:
        gradient = F.softmax(scaled, -1, dtype=wide(logits)).mul_(slope[:, None])
    else:
        logprobs = F.log_softmax(scaled, -1, dtype=wide(logits))
        inner = slope[:, None].expand_as(logprobs)
        if of_entropies is not None:
            assert read[0] is not None
            inner = inner - of_entropies[:, None] * (logprobs + read[0][:, None])
        if of_kls is not None:
            assert read[1] is not None and reference is not None
            inner = inner + of_kls[:, None] * (logprobs - reference - read[1][:, None])
        p = logprobs.exp_()
        gradient = (p * inner).masked_fill_(p == 0, 0.0)
    direct = -slope if of_targets is None else of_targets - slope
    gradient.scatter_add_(1, targets[:, None], direct[:, None])
    if wanted.temperature != 1:
        gradient.div_(wanted.temperature)
    return finish.unfinished(gradient, finished).to(logits.dtype)


def wide(tensor: Tensor) -> torch.dtype:
    """The type that is computed in: float32, or float64 for that."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def _scaled(logits: Tensor, wanted: Wanted) -> Tensor:
    """At the temperature; at 1 in the type they have, which softmax widens by itself."""
    return logits if wanted.temperature == 1 else logits.to(wide(logits)) / wanted.temperature


@cache
def compiled(function: Any) -> Any:
    """The function as one kernel or two, for any number of tokens."""
    return torch.compile(function, dynamic=True)
