"""Log-probabilities of tokens, and how undecided a distribution over the vocabulary is."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def token_logprobs(logits: Tensor, ids: Tensor, *, temperature: float = 1.0) -> Tensor:
    """log softmax(z / temperature)[id] of every row, in nats.

    Args:
        logits: (..., V) float32; carries the gradient. Row i predicts `ids[i]`: shift before.
        ids: (...) int64.
        temperature: the one that the tokens were sampled at; log-probabilities at another one
            belong to another policy (rlhf detail 8 of
            https://huggingface.co/blog/the_n_implementation_details_of_rlhf_with_ppo).

    Returns: (...) log-probabilities.
    Raises: ValueError if the shapes do not fit.
    """
    if logits.shape[:-1] != ids.shape:
        raise ValueError(f"logits (..., V) and ids (...), got {logits.shape} and {ids.shape}")
    scaled = logits if temperature == 1.0 else logits / temperature
    flat = F.cross_entropy(scaled.flatten(0, -2), ids.flatten(), reduction="none")
    return -flat.view(ids.shape)


def entropy(logits: Tensor) -> Tensor:
    """−Σ p·log p of softmax(z) for every row, in nats: logsumexp(z) − Σ softmax(z)·z.

    Args:
        logits: (..., V); may hold −inf where a token is forbidden. Carries the gradient.

    Returns: (...) entropies.
    """
    return entropy_of(F.log_softmax(logits, dim=-1))


def entropy_of(logprobs: Tensor) -> Tensor:
    """The same of log-probabilities (..., V)."""
    probabilities = logprobs.exp()
    return -(probabilities * logprobs.masked_fill(probabilities == 0, 0.0)).sum(-1)
