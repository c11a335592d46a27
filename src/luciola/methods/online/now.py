"""The policy in one forward pass, and figures of it that every algorithm logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from luciola.models.actor_critic import Outputs
from luciola.objectives.distributions import entropy, token_logprobs
from luciola.objectives.objective import Objective
from luciola.objectives.statistics import masked_variance
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


def figures_of(prefix: str, objective: Objective) -> dict[str, Term]:
    """An objective's own metrics, a token, as PREFIX/NAME."""
    return {f"{prefix}/{k}": Term(v, TOKENS, 0.0) for k, v in objective.metrics.items()}


def drift(now: Now, columns: Columns, policy: Objective) -> dict[str, Term]:
    """How far the policy is from the one that sampled, and how undecided."""
    found = {"policy/entropy": Term(entropy(now.logits.detach()).sum(), TOKENS, 0.0)}
    if "ratio" not in policy.metrics:
        drift = (now.logprobs.detach() - columns["logprobs"]).exp().sum()
        found["policy/ratio"] = Term(drift, TOKENS, 0.0)
        kl = (columns["logprobs"] - now.logprobs.detach()).sum()
        found["policy/policy_kl"] = Term(kl, TOKENS, 0.0)
    return found


def deviation(values: Tensor, mask: Tensor) -> float:
    """Unbiased standard deviation over the tokens; 0 of a single one."""
    return float(masked_variance(values, mask)) ** 0.5 if int(mask.sum()) > 1 else 0.0
