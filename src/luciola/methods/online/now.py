"""The policy in one forward pass, and figures of it that every algorithm logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from luciola.models.actor_critic import Outputs
from luciola.models.batch import Batch
from luciola.models.logit_arithmetic import Wanted
from luciola.objectives.objective import Objective
from luciola.objectives.statistics import masked_variance
from luciola.training.method import Term

TOKENS, ANSWERS = "response_tokens", "answers"
Columns = Mapping[str, Tensor]


@dataclass(frozen=True)
class Now:
    """The policy as it is in this forward pass, over N tokens, at the sampling temperature.

    Args:
        logprobs: (N,) of the answers' tokens.
        entropies: (N,) of the policy.
        values: (N,) or None.
        kls: (N,) to the reference over the whole vocabulary, where the loss needs it.
    """

    logprobs: Tensor
    entropies: Tensor
    values: Tensor | None
    kls: Tensor | None = None

    @classmethod
    def read(cls, roles: nn.Module, batch: Batch, temperature: float, *, full_kl: bool) -> Now:
        """What the roles say of a batch's answers, in one forward pass."""
        wanted = Wanted(temperature, entropy=True)
        outputs: Outputs = roles(batch, wanted, full_kl=full_kl)
        scores = outputs.scores
        assert scores.entropies is not None
        return cls(scores.logprobs, scores.entropies, outputs.values, scores.kls)


def figures_of(prefix: str, objective: Objective) -> dict[str, Term]:
    """An objective's own metrics, a token, as PREFIX/NAME."""
    return {f"{prefix}/{k}": Term(v, TOKENS, 0.0) for k, v in objective.metrics.items()}


def drift(now: Now, columns: Columns, policy: Objective) -> dict[str, Term]:
    """How far the policy is from the one that sampled, and how undecided."""
    found = {"policy/entropy": Term(now.entropies.detach().sum(), TOKENS, 0.0)}
    if "ratio" not in policy.metrics:
        drift = (now.logprobs.detach() - columns["logprobs"]).exp().sum()
        found["policy/ratio"] = Term(drift, TOKENS, 0.0)
        kl = (columns["logprobs"] - now.logprobs.detach()).sum()
        found["policy/policy_kl"] = Term(kl, TOKENS, 0.0)
    return found


def deviation(values: Tensor, mask: Tensor) -> float:
    """Unbiased standard deviation over the tokens; 0 of a single one."""
    return float(masked_variance(values, mask)) ** 0.5 if int(mask.sum()) > 1 else 0.0
