"""Implicit language Q-learning: from logged answers with rewards to a model that answers better.

Source: Snell et al. 2022, https://arxiv.org/abs/2206.11871, in trlx's form: value and Q heads on
the language model, learned together with it; answering adds beta · (Q - V) to the log-probabilities
(`rollout.steering`). Differences: trlx moves its targets at most once an epoch, here it is every
`sync_every` steps; each sum is divided by the actions of the whole step. Left out: encoder-decoder
models, rewards per token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from luciola.config.ilql import IlqlConfig
from luciola.methods.logged import LoggedBatch, LoggedPlan
from luciola.methods.planned import Planned
from luciola.models.q_heads import QHeads
from luciola.objectives.ilql import Ilql as Losses
from luciola.objectives.ilql import ilql_loss, synchronise
from luciola.training.method import Term
from luciola.training.world import World


class Judge(Protocol):
    """Judges the model as it is."""

    def figures(self) -> dict[str, float]: ...


class Ilql(Planned):
    """ILQL over the samples of a plan.

    Args:
        roles: a `QRoles`, prepared for the run's processes.
        plan: this process's micro-batches by step.
        world: the processes.
        config: tau, gamma, the scales, and how the targets follow.
        judge: of the evaluations; None: there are none.
    """

    plan: LoggedPlan
    data_name = "samples"

    def __init__(
        self,
        roles: nn.Module,
        plan: LoggedPlan,
        world: World,
        config: IlqlConfig,
        judge: Judge | None = None,
    ) -> None:
        super().__init__(roles, plan, world)
        self.config = config
        self.answers = judge

    @property
    def heads(self) -> QHeads:
        """The heads themselves, whatever wraps the roles."""
        heads = self.world.unwrap(self.roles).heads
        assert isinstance(heads, QHeads)
        return heads

    def weights(self, batch: LoggedBatch) -> dict[str, float]:
        """Actions divide every loss; all tokens are counted for the speed."""
        tokens = batch.batch.num_tokens if batch.origins else 0
        return {"actions": float(batch.num_actions), "tokens": float(tokens)}

    def loss(self, batch: LoggedBatch) -> dict[str, Term]:
        """The four losses an action, and the means of what they are made of."""
        found = self._losses(batch)
        config = self.config

        def term(total: Tensor, scale: float = 0.0) -> Term:
            return Term(total, per="actions", scale=scale)

        return {
            "losses/q": term(found.q, 1.0),
            "losses/value": term(found.value, 1.0),
            "losses/cql": term(found.cql, config.cql_scale),
            "losses/awac": term(found.awac, config.awac_scale),
            **{NAMES[name]: term(total) for name, total in found.metrics.items()},
        }

    def _losses(self, batch: LoggedBatch) -> Losses:
        now = self.roles(batch.batch)
        found = now.estimates
        return ilql_loss(
            now.logprobs[None, :-1],
            [q[None, :-1] for q in found.qs],
            [logprobs[None, :-1] for logprobs in found.logprobs],
            [q[None, :-1] for q in found.target_qs],
            found.values[None],
            batch.rewards,
            batch.continues,
            tau=self.config.tau,
            gamma=self.config.gamma,
            beta=self.config.awac_beta,
        )

    def after_step(self, means: Mapping[str, float]) -> None:
        """The targets follow the Q heads."""
        if self.position % self.config.sync_every == 0:
            synchronise(self.heads.target_q_heads, self.heads.q_heads, self.config.alpha)

    def evaluate(self) -> dict[str, float]:
        """What the answers to the evaluation's prompts are worth, by the beta they are given
        with.
        """
        return {} if self.answers is None else self.answers.figures()

    def judge(self, figures: Mapping[str, float]) -> float | None:
        """The last weights are the result: there is no loss to choose by."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """The position in the data, which data they are, and the targets."""
        return {**super().state_dict(), "targets": self.heads.target_q_heads.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position."""
        super().load_state_dict(state)
        with torch.no_grad():
            self.heads.target_q_heads.load_state_dict(state["targets"])


NAMES = {
    "value": "values/mean",
    "target_q": "qvalues/target",
    "q0": "qvalues/0",
    "q1": "qvalues/1",
    "awac_weight": "awac_weight",
}
"""How the objective's figures are called in the log."""
