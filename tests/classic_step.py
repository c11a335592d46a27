"""The classic PPO step for its tests: a trainer that moves, and its rules written out by loops."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from luciola.compat.trl import PPOConfig, PPOTrainer

Look = tuple[Tensor, Tensor, Tensor]
"""Of one response: log-probabilities (R,), values (R,) and all log-probabilities (R, V)."""


def settings(**changed: Any) -> PPOConfig:
    """Four samples in mini-batches of two, and a learning rate that moves a tiny model."""
    given = {"batch_size": 4, "mini_batch_size": 2, "learning_rate": 3e-3, "ppo_epochs": 2}
    return PPOConfig(**{**given, **changed})


def trainer_of(model: Any, tokenizer: Any, *, moved_by: float = 0.03, **changed: Any) -> Any:
    """A trainer whose policy has left its reference a little."""
    reference = copy.deepcopy(model)
    trained = moved(model, by=moved_by) if moved_by else model
    return PPOTrainer(settings(**changed), trained, reference, tokenizer)


def moved(model: Any, *, by: float) -> Any:
    """The model with every weight changed a little, so that it differs from its reference."""
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(by * torch.randn(parameter.shape, generator=random))
    return model


def by_loops(
    model: Any, reference: Any, config: PPOConfig, batch: dict[str, list[Tensor]]
) -> dict[str, float]:
    """One classic step sample by sample and token by token, without padding; trains `model`."""
    pairs = list(zip(batch["queries"], batch["responses"], strict=True))
    with torch.no_grad():
        old = [look(model, *pair) for pair in pairs]
        ref = [look(reference, *pair)[0] for pair in pairs]
    advantages, returns = gained(config, old, ref, batch["scores"])
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    sums: dict[str, list[float]] = {}
    for _ in range(config.ppo_epochs):
        order = np.random.permutation(config.batch_size)
        for start in range(0, config.batch_size, config.backward_batch_size):
            chosen = order[start : start + config.backward_batch_size]
            for i in range(0, len(chosen), config.mini_batch_size):
                rows = chosen[i : i + config.mini_batch_size]
                now = joined([look(model, *pairs[row]) for row in rows])
                then = joined([old[row] for row in rows])
                gain, goal = (torch.cat([x[r] for r in rows]) for x in (advantages, returns))
                figures = losses(config, now, then, gain, goal)
                (figures["loss/total"] / config.gradient_accumulation_steps).backward()
                for name, figure in figures.items():
                    sums.setdefault(f"ppo/{name}", []).append(float(figure.detach()))
            optimizer.step()
            optimizer.zero_grad()
    means = {name: sum(found) / len(found) for name, found in sums.items()}
    return {**means, **whole(config, means, old, ref)}


def look(model: Any, query: Tensor, response: Tensor) -> Look:
    """What the model makes of one response, by itself and without dropout."""
    model.eval()
    logits, _, values = model(input_ids=torch.cat([query, response])[None])
    start = len(query) - 1
    logits = logits[0, start:-1].log_softmax(-1)
    return logits.gather(1, response[:, None])[:, 0], values[0, start:-1], logits


def joined(looks: list[Look]) -> Look:
    """The tokens of several responses one behind the other."""
    logprobs, values, logits = zip(*looks, strict=True)
    return torch.cat(logprobs), torch.cat(values), torch.cat(logits)


def gained(
    config: PPOConfig, old: list[Look], ref: list[Tensor], scores: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Advantages, whitened over all tokens, and returns of each response."""
    advantages, returns = [], []
    for (logprobs, values, _), ref_logprobs, score in zip(old, ref, scores, strict=True):
        rewards = -config.init_kl_coef * (logprobs - ref_logprobs)
        rewards[-1] += score
        found: list[Tensor] = []
        following = torch.tensor(0.0)
        for t in reversed(range(len(values))):
            after = values[t + 1] if t + 1 < len(values) else 0.0
            following = (
                rewards[t]
                + config.gamma * after
                - values[t]
                + config.gamma * config.lam * following
            )
            found.insert(0, following)
        advantages.append(torch.stack(found))
        returns.append(advantages[-1] + values)
    every = torch.cat(advantages)
    scale = (every.var() + 1e-8) ** -0.5
    return [(a - every.mean()) * scale for a in advantages], returns


def losses(
    config: PPOConfig, now: Look, then: Look, gain: Tensor, goal: Tensor
) -> dict[str, Tensor]:
    """The losses of one mini-batch and the figures of it, as means over its tokens."""
    logprobs, values, logits = now
    before, guess, _ = then
    ratio = (logprobs - before).exp()
    clip = config.cliprange
    unclipped, clipped = -gain * ratio, -gain * ratio.clamp(1 - clip, 1 + clip)
    policy = torch.max(unclipped, clipped).mean()
    near = torch.clamp(values, guess - config.cliprange_value, guess + config.cliprange_value)
    value = 0.5 * torch.max((values - goal) ** 2, (near - goal) ** 2).mean()
    return {
        "loss/policy": policy,
        "loss/value": value,
        "loss/total": policy + config.vf_coef * value,
        "policy/entropy": -(logits.exp() * logits).sum(-1).mean(),
        "policy/approxkl": 0.5 * ((logprobs - before) ** 2).mean(),
        "policy/policykl": (before - logprobs).mean(),
        "policy/clipfrac": (clipped > unclipped).float().mean(),
        "policy/advantages_mean": gain.mean(),
        "returns/mean": goal.mean(),
        "returns/var": goal.var(),
        "val/vpred": values.mean(),
        "val/error": ((values - goal) ** 2).mean(),
        "val/clipfrac": ((near - goal) ** 2 > (values - goal) ** 2).float().mean(),
        "val/mean": guess.mean(),
        "val/var": guess.var(),
    }


def whole(
    config: PPOConfig, means: dict[str, float], old: list[Look], ref: list[Tensor]
) -> dict[str, float]:
    """The figures of the whole step."""
    kls = torch.stack([(o[0] - r).sum() for o, r in zip(old, ref, strict=True)])
    return {
        "ppo/val/var_explained": 1 - means["ppo/val/error"] / means["ppo/returns/var"],
        "objective/kl": float(kls.mean()),
        "ppo/mean_non_score_reward": float(
            -config.init_kl_coef * kls.sum() / sum(len(r) for r in ref)
        ),
        "objective/kl_coef": config.init_kl_coef,
        "objective/entropy": float(torch.stack([-o[0].sum() for o in old]).mean()),
    }
