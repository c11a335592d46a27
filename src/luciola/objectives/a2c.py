"""Advantage actor-critic: the policy gradient with a baseline, a critic, an entropy bonus.

Mnih et al. 2016, https://arxiv.org/abs/1602.01783, in the synchronous form (A2C). One epoch of PPO
over one mini-batch has the same gradient: https://arxiv.org/abs/2205.09123.
"""

from __future__ import annotations

from torch import Tensor

from luciola.objectives.objective import Objective, cells


def policy_gradient_loss(
    logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor | None = None,
    *,
    weights: Tensor | None = None,
) -> Objective:
    """Σ −log π(a|s)·A.

    Source: Mnih et al. 2016, §4; REINFORCE (Williams 1992) where A is a return minus a baseline.

    Args:
        logprobs: any shape, log-probability of each token, in nats. Carries the gradient.
        advantages: no gradient flows through it.
        mask: bool, True on the tokens that count; None: all do.
        weights: factor of each cell in `total`, as from `groups.token_weights`; None: 1.

    Returns: metrics logprob (Σ log π).
    Raises: ValueError if the tensors differ in shape.
    """
    mask = cells(mask, logprobs=logprobs, advantages=advantages)
    logprobs = logprobs.masked_fill(~mask, 0.0)
    losses = -logprobs * advantages.detach().masked_fill(~mask, 0.0)
    if weights is not None:
        losses = losses * weights.masked_fill(~cells(mask, weights=weights), 0.0)
    return Objective(losses.sum(), mask.sum(), {"logprob": logprobs.detach().sum()})


def value_loss(values: Tensor, returns: Tensor, mask: Tensor | None = None) -> Objective:
    """½ Σ (V − R)², with the ½ of PPO's value loss, so that one coefficient means the same.

    Args:
        values: any shape. Carries the gradient.
        returns: no gradient.
        mask: bool, True on the states that count; None: all do.

    Returns: metrics squared_error and value, as in `ppo.value_loss`.
    Raises: ValueError if the tensors differ in shape.
    """
    mask = cells(mask, values=values, returns=returns)
    values = values.masked_fill(~mask, 0.0)
    squares = (values - returns.detach().masked_fill(~mask, 0.0)).square()
    metrics = {"squared_error": squares.detach().sum(), "value": values.detach().sum()}
    return Objective(squares.sum() / 2, mask.sum(), metrics)


def entropy_bonus(entropies: Tensor, mask: Tensor | None = None) -> Objective:
    """−Σ H: minimising it keeps the policy undecided.

    Args:
        entropies: any shape, of the policy at each token, at the sampling temperature, in nats.
            Carries the gradient.
        mask: bool, True on the tokens that count; None: all do.

    Returns: metrics entropy (Σ H, in nats).
    Raises: ValueError if the shapes do not fit.
    """
    mask = cells(mask, entropies=entropies)
    entropies = entropies.masked_fill(~mask, 0.0)
    return Objective(-entropies.sum(), mask.sum(), {"entropy": entropies.detach().sum()})
