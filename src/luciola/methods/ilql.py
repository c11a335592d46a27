"""Implicit language Q-learning: from logged answers with rewards to a model that answers better.

Source: Snell et al. 2022, https://arxiv.org/abs/2206.11871, in trlx's form: value and Q heads on
the language model, learned together with it; answering adds beta · (Q - V) to the log-probabilities
(`rollout.steering`). Differences: trlx moves its targets at most once an epoch, here it is every
`sync_every` steps; each sum is divided by the actions of the whole step. Left out: encoder-decoder
models, rewards per token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from luciola.config.ilql import IlqlConfig
from luciola.errors import DataError
from luciola.methods.base import Plain
from luciola.methods.logged import LoggedBatch, LoggedPlan
from luciola.methods.stream import halved
from luciola.models.q_heads import QHeads
from luciola.objectives.ilql import Ilql as Losses
from luciola.objectives.ilql import ilql_loss, synchronise
from luciola.training.method import Term
from luciola.training.world import World


class Judge(Protocol):
    """Judges the model as it is."""

    def figures(self) -> dict[str, float]: ...


class Ilql(Plain):
    """ILQL over the samples of a plan.

    Args:
        roles: a `QRoles`, prepared for the run's processes.
        plan: this process's micro-batches by step.
        world: the processes.
        config: tau, gamma, the scales, and how the targets follow.
        judge: of the evaluations; None: there are none.
    """

    def __init__(
        self,
        roles: nn.Module,
        plan: LoggedPlan,
        world: World,
        config: IlqlConfig,
        judge: Judge | None = None,
    ) -> None:
        super().__init__(roles)
        self.plan = plan
        self.world = world
        self.config = config
        self.answers = judge
        self.position = 0
        self._fingerprint = plan.logs.fingerprint()

    @property
    def heads(self) -> QHeads:
        """The heads themselves, whatever wraps the roles."""
        heads = self.world.unwrap(self.roles).heads
        assert isinstance(heads, QHeads)
        return heads

    def next_step(self) -> list[LoggedBatch] | None:
        """The micro-batches of the next step."""
        if self.position >= len(self.plan):
            return None
        batches = self.plan.step(self.position)
        self.position += 1
        return batches

    def halve(self) -> list[LoggedBatch] | None:
        """The last step again, in rows half as long."""
        batches = self.plan.step(self.position - 1)
        capacity = halved((one.batch.ids.numel(), len(one.origins)) for one in batches)
        if capacity is None:
            return None
        self.plan = replace(self.plan, capacity=capacity)
        return self.plan.step(self.position - 1)

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
        return ilql_loss(
            now.logits[None, :-1],
            [q[None, :-1] for q in now.qs],
            [q[None, :-1] for q in now.target_qs],
            now.values[None, :, 0],
            batch.actions,
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

    def describe(self, batches: Sequence[LoggedBatch]) -> str:
        """File and line of the samples in these micro-batches."""
        origins = [origin for batch in batches for origin in batch.origins]
        shown = ", ".join(origins[:4])
        return shown if len(origins) <= 4 else f"{shown} and {len(origins) - 4} more"

    def state_dict(self) -> dict[str, Any]:
        """The position in the data, which data they are, and the targets."""
        targets = self.heads.target_q_heads.state_dict()
        return {
            "position": self.position,
            "data": self._fingerprint,
            "targets": targets,
            "micro_tokens": self.plan.capacity,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position.

        Raises: DataError if the samples are not those that the run began with.
        """
        if state["data"] != self._fingerprint:
            raise DataError(
                "the samples have changed since this run began",
                remedy="Put the old data back to go on, or begin again with --fresh.",
            )
        self.position = state["position"]
        capacity = state.get("micro_tokens", self.plan.capacity)
        self.plan = replace(self.plan, capacity=min(self.plan.capacity, capacity))
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
