"""PPO and A2C: a critic foresees what an answer will be worth, and the policy beats it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from luciola.config.online import A2cConfig, PpoConfig
from luciola.methods.online.experience import Experience
from luciola.methods.online.now import TOKENS, Columns, Now, deviation, drift, figures_of
from luciola.objectives import a2c, ppo
from luciola.objectives.advantages import gae, token_rewards
from luciola.objectives.statistics import masked_mean, whiten
from luciola.training.method import Term


@dataclass(frozen=True)
class ActorCriticAlgorithm:
    """PPO and A2C: GAE over token rewards, a policy loss and a value loss."""

    config: PpoConfig | A2cConfig
    has_critic: bool = True
    needs_full_kl: bool = False

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
        spread = deviation(returns, mask) ** 2
        error = float(masked_mean((columns["values"] - returns).square(), mask))
        return {
            "objective/reward": float(columns["rewards"].sum(1).mean()),
            "advantages/mean": float(masked_mean(raw, mask)),
            "advantages/std": deviation(raw, mask),
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
            **figures_of("policy", policy),
            **figures_of("value", value),
            **drift(now, columns, policy),
        }
        if config.entropy_coef:
            bonus = a2c.entropy_bonus(now.entropies)
            terms["loss/entropy"] = Term(bonus.total, TOKENS, config.entropy_coef)
        return terms


def _whitened(values: Tensor, mask: Tensor, *, shift: bool = True) -> Tensor:
    """As `whiten`; a single token, which has no spread, stays as it is."""
    return whiten(values, mask, shift=shift) if int(mask.sum()) > 1 else values * mask
