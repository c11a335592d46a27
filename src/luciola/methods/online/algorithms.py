"""How scores become advantages, and what is minimised: PPO, A2C, and the methods without a critic.

An algorithm fills an iteration's columns once, the same in every process, and gives the terms of a
micro-batch. Everything else is written once in `method`.
"""

from __future__ import annotations

from typing import Literal, Protocol

from torch import Tensor

from luciola.config.online import A2cConfig, GrpoConfig, PpoConfig, RlooConfig
from luciola.methods.online.actor_critic import ActorCriticAlgorithm
from luciola.methods.online.experience import Experience
from luciola.methods.online.groups import GroupAlgorithm
from luciola.methods.online.now import Columns, Now
from luciola.training.method import Term


class Algorithm(Protocol):
    """What differs between the online methods."""

    @property
    def name(self) -> str: ...

    @property
    def has_critic(self) -> bool: ...

    @property
    def needs_full_kl(self) -> bool:
        """Whether the loss itself looks at the reference's whole distribution."""
        ...

    def prepare(self, experience: Experience, scores: Tensor, kl_coef: float) -> dict[str, float]:
        """Fill the columns that `terms` reads; returns figures of the iteration."""
        ...

    def terms(self, now: Now, columns: Columns) -> dict[str, Term]:
        """What is minimised over N tokens, as sums, and figures beside it."""
        ...


def algorithm_for(
    config: PpoConfig | A2cConfig | GrpoConfig | RlooConfig,
) -> ActorCriticAlgorithm | GroupAlgorithm:
    """The algorithm of a recipe."""
    if isinstance(config, PpoConfig | A2cConfig):
        return ActorCriticAlgorithm(config)
    return GroupAlgorithm(config)


Critic = Literal["none", "shared", "separate"]


def critic_of(config: PpoConfig | A2cConfig | GrpoConfig | RlooConfig) -> Critic:
    """Where the recipe's critic reads its states, if it has one."""
    return config.critic if isinstance(config, PpoConfig | A2cConfig) else "none"
