"""GRPO, RLOO and REINFORCE++: other answers foresee what an answer will be worth, not a critic."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from luciola.config.online import GrpoConfig, RlooConfig
from luciola.methods.online.experience import Experience
from luciola.methods.online.now import (
    ANSWERS,
    TOKENS,
    Columns,
    Now,
    deviation,
    drift,
    figures_of,
)
from luciola.objectives import ppo
from luciola.objectives.advantages import token_rewards
from luciola.objectives.groups import (
    grpo_advantages,
    reinforce_plus_plus,
    rloo_advantages,
    token_weights,
)
from luciola.objectives.kl import kl_estimate
from luciola.training.method import Term


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
    def needs_full_kl(self) -> bool:
        """The whole KL in GRPO's loss; its estimates take the tokens' log-probabilities, which the
        feedback keeps.
        """
        return self._has_kl and self.config.kl_estimator == "full"

    @property
    def _has_kl(self) -> bool:
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
            "advantages/std": deviation(columns["advantages"], mask),
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
            **figures_of("policy", policy),
            **drift(now, columns, policy),
        }
        if self._has_kl:
            if config.kl_estimator == "full":
                assert now.kls is not None
                kls = now.kls
            else:
                kls = kl_estimate(now.logprobs, columns["reference"], config.kl_estimator)
            terms["loss/kl"] = Term((kls * columns["weights"]).sum(), self._per, config.kl_coef)
        return terms


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
