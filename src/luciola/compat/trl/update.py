"""The updates of the classic trainer, mini-batch by mini-batch in the project's own step."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from luciola.compat.trl.config import PPOConfig
from luciola.compat.trl.experience import Experience, outputs
from luciola.compat.trl.statistics import of_mini_batch
from luciola.methods.base import Plain
from luciola.objectives.objective import Objective
from luciola.objectives.ppo import policy_loss, ratio_is_sane, value_loss
from luciola.training.method import Term
from luciola.training.step import optimizer_step
from luciola.training.world import World

log = logging.getLogger(__name__)


class Update(Plain):
    """The losses of one `step`; each mini-batch counts alike, however many tokens it has.

    Args:
        roles: the policy with its value head, prepared for the processes.
        config: clipping and weights.
    """

    def __init__(self, roles: nn.Module, config: PPOConfig) -> None:
        super().__init__(roles)
        self.config = config
        self.statistics: list[dict[str, Tensor]] = []

    def next_step(self) -> None:
        """Steps are given by `PPOTrainer.step`."""

    def weights(self, batch: Experience) -> dict[str, float]:
        """A mini-batch counts once: with accumulation the gradient is the mean over them."""
        return {"mini_batches": 1.0}

    def loss(self, batch: Experience) -> dict[str, Term]:
        """Means over the tokens of the mini-batch; nothing of it where its ratio has run away."""
        config, mask = self.config, batch.sequences.mask
        now = outputs(self.roles, batch.sequences)
        policy = policy_loss(
            now.logprobs, batch.logprobs, batch.advantages, mask, clip=config.cliprange
        )
        value = value_loss(
            now.values, batch.values, batch.returns, mask, clip=config.cliprange_value
        )
        losses = torch.stack([policy.mean, value.mean])
        if not self._is_sane(policy):
            still = now.logprobs.masked_fill(~mask, 0.0).sum() + now.values.sum()
            losses = torch.stack([still, still]) * 0.0  # a gradient of zero, in every process
        total = losses[0] + config.vf_coef * losses[1]
        shown = torch.cat([losses, total[None]]).detach()
        self.statistics.append(of_mini_batch(batch, now, policy, value, losses=shown))
        return {
            "policy": Term(losses[0], per="mini_batches"),
            "value": Term(losses[1], per="mini_batches", scale=config.vf_coef),
        }

    def _is_sane(self, policy: Objective) -> bool:
        ratio = float(policy.means()["ratio"])
        sane = ratio_is_sane(ratio, self.config.ratio_threshold)
        if not sane:
            log.warning(
                "the mean ratio of a mini-batch is %.2f, above ratio_threshold %.2f: it is skipped",
                ratio,
                self.config.ratio_threshold,
            )
        return sane

    def describe(self, batches: Sequence[Experience]) -> str:
        """For an error message."""
        return f"{sum(len(batch.sequences) for batch in batches)} samples given to `step`"

    def state_dict(self) -> dict[str, Any]:
        """Nothing outlives a step."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing is restored."""


def optimise(
    made: Experience,
    model: nn.Module,
    config: PPOConfig,
    optimizer: torch.optim.Optimizer,
    world: World,
) -> list[dict[str, Tensor]]:
    """Epochs over shuffled mini-batches; statistics of every one.

    Args:
        model: the policy with its value head, prepared for the processes.
    """
    update = Update(model, config)
    for _ in range(config.ppo_epochs):
        order = np.random.permutation(config.batch_size)
        for start in range(0, config.batch_size, config.backward_batch_size):
            chosen = order[start : start + config.backward_batch_size]
            size = config.mini_batch_size
            parts = [chosen[i : i + size] for i in range(0, len(chosen), size)]
            take_step(update, [made.rows(p) for p in parts], optimizer, world)
        if config.early_stopping and _has_moved(update, world):
            break
    return update.statistics


def _has_moved(update: Update, world: World) -> bool:
    """Whether the last mini-batch was 1.5 times target_kl away from where the step began."""
    mine = {"kl": float(update.statistics[-1]["policy/policykl"])}
    return world.total([mine])["kl"] / world.size > 1.5 * update.config.target_kl


def take_step(
    update: Update,
    mini_batches: Sequence[Experience],
    optimizer: torch.optim.Optimizer,
    world: World,
) -> None:
    """One optimizer step, which leaves the global random numbers where they were: classic scripts
    sample with them.
    """
    config, cuda = update.config, world.device.type == "cuda"
    with torch.random.fork_rng(devices=[world.device] if cuda else []):
        optimizer_step(
            update,
            mini_batches,
            optimizer,
            world,
            step=0,
            run_seed=config.seed,
            max_grad_norm=config.max_grad_norm or 0.0,
        )
