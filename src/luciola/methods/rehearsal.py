"""A method's passes over a worst micro-batch, on whatever device its roles are.

The roles are built as a run builds them, and the run's own objectives compute on columns of zeros:
sizes are all that counts here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from luciola.config.ilql import IlqlConfig
from luciola.config.online import OnlineConfig
from luciola.config.preference import RewardConfig
from luciola.config.training import TrainingConfig
from luciola.memory.simulation import Loss
from luciola.methods.online.algorithms import algorithm_for, critic_of
from luciola.methods.online.now import Now
from luciola.methods.preparation import adapt
from luciola.models.actor_critic import ActorCritic
from luciola.models.batch import Batch
from luciola.models.head import read
from luciola.models.logit_arithmetic import Wanted
from luciola.models.precision import computing
from luciola.models.q_heads import QRoles, heads_for
from luciola.models.recomputing import recompute_activations
from luciola.models.roles import Policy
from luciola.models.roles_building import build_roles
from luciola.models.token_scores import TokenScores
from luciola.objectives.ilql import ilql_loss


def roles_of(config: TrainingConfig, model: Any, *, autocast: bool) -> nn.Module:
    """The module that the recipe's method trains, over a model on any device."""
    if config.checkpointing:
        recompute_activations(model)
    trained = adapt(model, config)
    trained.train()
    if isinstance(config, IlqlConfig):
        heads = heads_for(trained, two_qs=config.two_qs, run_seed=config.seed)
        return QRoles(trained, heads, autocast=autocast)
    if not isinstance(config, OnlineConfig):
        return Policy(trained, autocast=autocast)
    return build_roles(
        trained,
        adapter=config.adapter,  # type: ignore[arg-type, unused-ignore]
        lora=config.lora,
        continued=False,
        critic=critic_of(config),  # type: ignore[arg-type]
        value_init="zero",
        reference=None,
        autocast=autocast,
        run_seed=config.seed,
    )


def losses_of(config: TrainingConfig) -> dict[str, Loss]:
    """The passes of a method over a micro-batch, by phase."""
    if isinstance(config, OnlineConfig):
        return {"update": _online_loss(config), "feedback": _feedback(config)}
    if isinstance(config, IlqlConfig):
        return {"update": _ilql_loss(config)}
    return {"update": _head_alone if isinstance(config, RewardConfig) else _language_loss}


def _language_loss(roles: nn.Module, batch: Batch) -> Tensor:
    scores: TokenScores = roles(batch, Wanted(best=True))
    return -scores.logprobs.sum()


def _head_alone(roles: nn.Module, batch: Batch) -> Tensor:
    """A reward model needs one state an answer; here one in 32 tokens."""
    assert isinstance(roles, Policy)
    few = slice(0, max(1, len(batch.labels) // 32))
    ends = replace(
        batch, rows=batch.rows[few], columns=batch.columns[few], labels=batch.labels[few]
    )
    with computing(batch.ids.device, roles.autocast):
        states = read(roles.model, ends).states
    return states[:, :1].float().sum()


class _Zeros(dict[str, Tensor]):
    """Any column, all zeros."""

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        self.like = like

    def __missing__(self, name: str) -> Tensor:
        return self.like.new_zeros(self.like.shape, dtype=torch.float32)


def _online_loss(config: OnlineConfig) -> Loss:
    algorithm = algorithm_for(config)  # type: ignore[arg-type]

    def loss(roles: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(roles, ActorCritic)
        full_kl = algorithm.needs_full_kl
        now = Now.read(roles, batch, config.temperature, full_kl=full_kl)
        terms = algorithm.terms(now, _Zeros(batch.labels))
        return torch.stack([t.scale * t.sum for t in terms.values() if t.scale]).sum()

    return loss


def _feedback(config: OnlineConfig) -> Loss:
    """What `online.feedback` reads before an update."""

    @torch.no_grad()
    def loss(roles: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(roles, ActorCritic)
        wanted = Wanted(config.temperature, entropy=True)
        outputs = roles(batch, wanted, reference=True)
        assert outputs.scores.entropies is not None
        return outputs.scores.entropies.sum()

    return loss


def _ilql_loss(config: IlqlConfig) -> Loss:
    def loss(roles: nn.Module, batch: Batch) -> Tensor:
        now = roles(batch)
        found = ilql_loss(
            now.logprobs[None, :-1],
            [q[None, :-1] for q in now.estimates.qs],
            [logprobs[None, :-1] for logprobs in now.estimates.logprobs],
            [q[None, :-1] for q in now.estimates.target_qs],
            now.estimates.values[None],
            batch.labels[None, :-1].float(),
            batch.labels[None] == 0,
            tau=config.tau,
            gamma=config.gamma,
            beta=config.awac_beta,
        )
        return found.total(cql_scale=config.cql_scale, awac_scale=config.awac_scale)

    return loss
