"""Proximal policy optimisation: the clipped policy and value losses.

Left out, because they belong to the run: whitening, the entropy bonus (`a2c.entropy_bonus`), the
early stop on KL.
"""

from __future__ import annotations

import torch
from torch import Tensor

from luciola.objectives.objective import Objective, cells


def policy_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor | None = None,
    *,
    clip: float = 0.2,
    weights: Tensor | None = None,
) -> Objective:
    """Σ −min(r·A, clamp(r, 1 − ε, 1 + ε)·A) with r = exp(logprobs − old_logprobs).

    Source: Schulman et al. 2017, eq. 7, https://arxiv.org/abs/1707.06347; summed, not averaged.

    Args:
        logprobs: any shape, log-probability of each token now, in nats. Carries the gradient.
        old_logprobs: the same at sampling time, at the same temperature.
        advantages: already whitened, if at all; no gradient flows through it.
        mask: bool, True on the tokens of the answers, the end token included; None: all count.
        clip: ε, half-width of the trust interval on r (the paper's 0.2).
        weights: factor of each cell in `total`, as from `groups.token_weights`; None: 1.

    Returns: metrics clip_fraction (tokens that push no further), ratio, policy_kl (Σ old − new),
        approx_kl (k3, Σ r − 1 − log r) and half_squared_kl (½ Σ (new − old)², what TRL calls
        approxkl); maximum ratio.
    Raises: ValueError if the tensors differ in shape.
    """
    mask = cells(mask, logprobs=logprobs, old_logprobs=old_logprobs, advantages=advantages)
    log_ratio = (logprobs - old_logprobs.detach()).masked_fill(~mask, 0.0)
    advantages = advantages.detach().masked_fill(~mask, 0.0)
    ratio = log_ratio.exp()
    plain, clipped = -advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)
    losses = torch.maximum(plain, clipped)
    if weights is not None:
        losses = losses * weights.masked_fill(~cells(mask, weights=weights), 0.0)
    metrics = {
        "clip_fraction": (clipped > plain).sum(),
        **_drift(log_ratio.detach(), mask),
    }
    largest = ratio.detach().masked_fill(~mask, 0.0)
    maxima = {"ratio": largest.max() if largest.numel() else largest.sum()}
    return Objective(losses.sum(), mask.sum(), metrics, maxima)


def _drift(log_ratio: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """How far new is from old; `log_ratio` is 0 outside the mask."""
    return {
        "ratio": log_ratio.exp().masked_fill(~mask, 0.0).sum(),
        "policy_kl": -log_ratio.sum(),
        "approx_kl": (torch.expm1(log_ratio) - log_ratio).sum(),
        "half_squared_kl": log_ratio.square().sum() / 2,
    }


def ratio_is_sane(mean_ratio: float, threshold: float = 10.0) -> bool:
    """False where the mean ratio exceeds the threshold or is NaN: skip the step, as TRL 0.11."""
    return mean_ratio <= threshold


def value_loss(
    values: Tensor,
    old_values: Tensor,
    returns: Tensor,
    mask: Tensor | None = None,
    *,
    clip: float | None = 0.2,
) -> Objective:
    """½ Σ max((V − R)², (clamp(V, V_old − ε, V_old + ε) − R)²).

    Source: the clipping of OpenAI's ppo2, detail 9 of
    https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/.

    Args:
        values: any shape, value of the state before each token. Carries the gradient.
        old_values: the same at sampling time.
        returns: what the value should have been; no gradient.
        mask: bool, True on the states that count; None: all do.
        clip: ε; None: plain ½ Σ (V − R)².

    Returns: metrics clip_fraction, squared_error (Σ (V − R)²) and value (Σ V).
    Raises: ValueError if the tensors differ in shape.
    """
    mask = cells(mask, values=values, old_values=old_values, returns=returns)
    values = values.masked_fill(~mask, 0.0)
    old_values = old_values.detach().masked_fill(~mask, 0.0)
    returns = returns.detach().masked_fill(~mask, 0.0)
    errors = (values - returns).square()
    near = values
    if clip is not None:
        near = torch.clamp(values, min=old_values - clip, max=old_values + clip)
    clipped = (near - returns).square()
    metrics = {
        "clip_fraction": (clipped > errors).sum(),
        "squared_error": errors.detach().sum(),
        "value": values.detach().sum(),
    }
    return Objective(torch.maximum(errors, clipped).sum() / 2, mask.sum(), metrics)
