"""The language-modelling loss."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of -log softmax(logits)[label] over the trained tokens, in nats.

    Summed, not averaged: the step divides by the trained tokens of the whole batch over all
    processes, so that every token counts alike however the batch is split (the mean per micro-batch
    does not do that).
    Args:
        logits: (N, V) float32; carries the gradient.
        labels: (N,) int64 token ids.

    Raises: ValueError if the shapes do not fit.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"logits (N, V) and labels (N,), got {logits.shape} and {labels.shape}")
    return F.cross_entropy(logits, labels, reduction="sum")


def correct_tokens(logits: Tensor, labels: Tensor) -> Tensor:
    """How many of the (N,) labels are the most likely token of their (N, V) logits."""
    return (logits.detach().argmax(-1) == labels).sum()
