"""How scores become advantages, and what is minimised: PPO, A2C, and the methods without a critic.

An algorithm fills an iteration's columns once, the same in every process, and gives the terms of a
micro-batch. Everything else is written once in `method`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from luciola.config.online import A2cConfig, GrpoConfig, PpoConfig, RlooConfig
from luciola.methods.online.experience import Experience
from luciola.models.actor_critic import Outputs
from luciola.objectives import a2c, ppo
from luciola.objectives.advantages import gae, token_rewards
from luciola.objectives.distributions import entropy, token_logprobs
from luciola.objectives.groups import (
    grpo_advantages,
    reinforce_plus_plus,
    rloo_advantages,
    token_weights,
)
from luciola.objectives.kl import full_kl, kl_estimate
from luciola.objectives.objective import Objective
from luciola.objectives.statistics import masked_mean, masked_variance, whiten
from luciola.training.method import Term

TOKENS, ANSWERS = "response_tokens", "answers"
Columns = Mapping[str, Tensor]


@dataclass(frozen=True)
class Now:
    """The policy as it is in this forward pass, over N tokens.

    Args:
        logits: (N, V) at the sampling temperature.
        logprobs: (N,) of the answers' tokens.
        values: (N,) or None.
        reference_logits: (N, V) at the sampling temperature, where the loss needs them.
    """

    logits: Tensor
    logprobs: Tensor
    values: Tensor | None
    reference_logits: Tensor | None = None

    @classmethod
    def of(
        cls,
        outputs: Outputs,
        labels: Tensor,
        temperature: float,
        reference_logits: Tensor | None = None,
    ) -> Now:
        """From what the roles gave."""
        logits = outputs.logits / temperature
        return cls(logits, token_logprobs(logits, labels), outputs.values, reference_logits)


class Algorithm(Protocol):
    """What differs between the online methods."""

    @property
    def name(self) -> str: ...

    @property
    def has_critic(self) -> bool: ...

    @property
    def needs_reference(self) -> bool:
        """Whether the loss itself looks at the reference's whole distribution."""
        ...

    def prepare(self, experience: Experience, scores: Tensor, kl_coef: float) -> dict[str, float]:
        """Fill the columns that `terms` reads; returns figures of the iteration."""
        ...

    def terms(self, now: Now, columns: Columns) -> dict[str, Term]:
        """What is minimised over N tokens, as sums, and figures beside it."""
        ...


@dataclass(frozen=True)
class ActorCriticAlgorithm:
    """PPO and A2C: GAE over token rewards, a policy loss and a value loss."""

    config: PpoConfig | A2cConfig
    has_critic: bool = True
    needs_reference: bool = False

    @property
    def name(self) -> str:
        """The method's short name."""
        return "ppo" if isinstance(self.config, PpoConfig) else "a2c"

    def prepare(self, experience: Experience, scores: Tensor, kl_coef: float) -> dict[str, float]:
        """Rewards, advantages and returns."""
        config, mask, columns = self.config, experience.mask, experience.columns
        columns["rewards"] = token_rewards(scores, columns["kls"], mask, kl_coef)
        used = columns["rewards"]
        if config.whiten_rewards:
            used = columns["whitened_rewards"] = _whitened(used, mask, shift=False)
        raw, returns = gae(columns["values"], used, mask, gamma=config.gamma, lam=config.lam)
        columns["raw_advantages"], columns["returns"] = raw, returns
        columns["advantages"] = _whitened(raw, mask) if config.whiten_advantages else raw
        spread = _deviation(returns, mask) ** 2
        error = float(masked_mean((columns["values"] - returns).square(), mask))
        return {
            "objective/reward": float(columns["rewards"].sum(1).mean()),
            "advantages/mean": float(masked_mean(raw, mask)),
            "advantages/std": _deviation(raw, mask),
            "returns/mean": float(masked_mean(returns, mask)),
            "value/mean": float(masked_mean(columns["values"], mask)),
            "value/explained": 1 - error / spread if spread > 0 else 0.0,
        }

    def terms(self, now: Now, columns: Columns) -> dict[str, Term]:
        """Policy loss, value loss, entropy bonus."""
        assert now.values is not None
        config = self.config
        if isinstance(config, PpoConfig):
            policy = ppo.policy_loss(
                now.logprobs, columns["logprobs"], columns["advantages"], clip=config.clip
            )
            value = ppo.value_loss(
                now.values,
                columns["values"],
                columns["returns"],
                clip=config.clip_value or None,
            )
        else:
            policy = a2c.policy_gradient_loss(now.logprobs, columns["advantages"])
            value = a2c.value_loss(now.values, columns["returns"])
        terms = {
            "loss/policy": Term(policy.total, TOKENS),
            "loss/value": Term(value.total, TOKENS, config.vf_coef),
            **_figures("policy", policy),
            **_figures("value", value),
            **_drift(now, columns, policy),
        }
        if config.entropy_coef:
            bonus = a2c.entropy_bonus(now.logits)
            terms["loss/entropy"] = Term(bonus.total, TOKENS, config.entropy_coef)
        return terms


@dataclass(frozen=True)
class GroupAlgorithm:
    """GRPO, RLOO and REINFORCE++: the other answers are the baseline."""

    config: GrpoConfig | RlooConfig
    has_critic: bool = False

    @property
    def name(self) -> str:
        """The method's short name."""
        return "grpo" if isinstance(self.config, GrpoConfig) else "rloo"

    @property
    def needs_reference(self) -> bool:
        """GRPO with a KL in its loss."""
        return isinstance(self.config, GrpoConfig) and self.config.kl_coef > 0

    @property
    def _per(self) -> str:
        return TOKENS if self.config.loss_weights == "token" else ANSWERS

    def prepare(self, experience: Experience, scores: Tensor, kl_coef: float) -> dict[str, float]:
        """Advantages: one per answer, at each of its tokens; of REINFORCE++ one per token."""
        config, mask, columns = self.config, experience.mask, experience.columns
        if isinstance(config, GrpoConfig):
            whole = _per_answer(scores)
            advantages = grpo_advantages(whole, experience.groups, scale=config.scale_by_std)
            columns["advantages"] = _spread(advantages, mask)
        else:
            columns["rewards"] = token_rewards(scores, columns["kls"], mask, kl_coef)
            if config.baseline == "batch" and int(mask.sum()) > 1:
                columns["advantages"] = reinforce_plus_plus(columns["rewards"], mask)
            elif config.baseline == "batch":
                columns["advantages"] = columns["rewards"] * mask
            else:
                whole = columns["rewards"].sum(1)
                columns["advantages"] = _spread(rloo_advantages(whole, experience.groups), mask)
        columns["weights"] = token_weights(
            mask, config.loss_weights, length=config.max_new_tokens
        ).float()
        still = _still_groups(scores, experience.groups)
        return {
            "advantages/std": _deviation(columns["advantages"], mask),
            "groups/without_spread": still,
        }

    def terms(self, now: Now, columns: Columns) -> dict[str, Term]:
        """The clipped policy loss; in GRPO also the KL to the reference."""
        config = self.config
        policy = ppo.policy_loss(
            now.logprobs,
            columns["logprobs"],
            columns["advantages"],
            clip=config.clip,
            weights=columns["weights"],
        )
        terms = {
            "loss/policy": Term(policy.total, self._per),
            **_figures("policy", policy),
            **_drift(now, columns, policy),
        }
        if self.needs_reference:
            assert now.reference_logits is not None
            if config.kl_estimator == "full":
                kls = full_kl(now.logits, now.reference_logits)
            else:
                kls = kl_estimate(now.logprobs, columns["reference"], config.kl_estimator)
            terms["loss/kl"] = Term((kls * columns["weights"]).sum(), self._per, config.kl_coef)
        return terms


def _whitened(values: Tensor, mask: Tensor, *, shift: bool = True) -> Tensor:
    """As `whiten`; a single token, which has no spread, stays as it is."""
    return whiten(values, mask, shift=shift) if int(mask.sum()) > 1 else values * mask


def _deviation(values: Tensor, mask: Tensor) -> float:
    """Unbiased standard deviation over the tokens; 0 of a single one."""
    return float(masked_variance(values, mask)) ** 0.5 if int(mask.sum()) > 1 else 0.0


def _figures(prefix: str, objective: Objective) -> dict[str, Term]:
    return {f"{prefix}/{k}": Term(v, TOKENS, 0.0) for k, v in objective.metrics.items()}


def _drift(now: Now, columns: Columns, policy: Objective) -> dict[str, Term]:
    """How far the policy is from the one that sampled, and how undecided."""
    found = {"policy/entropy": Term(entropy(now.logits.detach()).sum(), TOKENS, 0.0)}
    if "ratio" not in policy.metrics:
        drift = (now.logprobs.detach() - columns["logprobs"]).exp().sum()
        found["policy/ratio"] = Term(drift, TOKENS, 0.0)
        kl = (columns["logprobs"] - now.logprobs.detach()).sum()
        found["policy/policy_kl"] = Term(kl, TOKENS, 0.0)
    return found


def _spread(advantages: Tensor, mask: Tensor) -> Tensor:
    """(B, T): an answer's advantage at each of its tokens."""
    return advantages.float()[:, None] * mask


def _per_answer(scores: Tensor) -> Tensor:
    return scores if scores.ndim == 1 else scores.sum(1)


def _still_groups(scores: Tensor, groups: Tensor) -> float:
    """Share of the groups whose answers all have one score, and so teach nothing."""
    whole = _per_answer(scores)
    ids = groups.unique().tolist()
    still = [bool((whole[groups == i] == whole[groups == i][0]).all()) for i in ids]
    return sum(still) / len(still)


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
