"""Supervised fine-tuning: the method. Next-token loss on what is trained, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from luciola.data.rows import Row
from luciola.methods.stream import Plan, rows_from, share
from luciola.models.batch import Batch
from luciola.objectives.language import correct_tokens, negative_log_likelihood
from luciola.training.method import Term
from luciola.training.world import World


class Sft:
    """Fine-tuning on the rows of a plan.

    Args:
        roles: a `Policy`, prepared for the run's processes.
        plan: this process's rows by step.
        world: the processes.
        eval_rows: held-out rows over all processes; empty: no evaluation.
        workers: processes that make rows ahead of the training step.
    """

    def __init__(
        self,
        roles: nn.Module,
        plan: Plan,
        world: World,
        *,
        eval_rows: Sequence[Row] = (),
        workers: int = 0,
    ) -> None:
        self.roles = roles
        self.plan = plan
        self.world = world
        self.eval_rows = share(eval_rows, world.rank, world.size) if eval_rows else []
        self.workers = workers
        self.position = 0
        self._rows: Iterator[list[Row]] | None = None

    def next_step(self) -> list[Batch] | None:
        """The micro-batches of the next step."""
        if self.position >= len(self.plan):
            return None
        if self._rows is None:
            self._rows = rows_from(self.plan, self.position, self.workers)
        rows = next(self._rows)
        self.position += 1
        return [Batch.of(row, self.world.device) for row in rows]

    def weights(self, batch: Batch) -> dict[str, float]:
        """Trained tokens divide the loss; all tokens are counted for the speed."""
        return {"trained_tokens": float(len(batch.labels)), "tokens": float(batch.num_tokens)}

    def loss(self, batch: Batch) -> dict[str, Term]:
        """Negative log-likelihood of the trained tokens, in nats a token."""
        logits = self.roles(batch)
        return {
            "nll": Term(negative_log_likelihood(logits, batch.labels), per="trained_tokens"),
            "accuracy": Term(
                correct_tokens(logits, batch.labels).float(), per="trained_tokens", scale=0.0
            ),
        }

    def accepts(self, means: Mapping[str, float]) -> bool:
        """Every step is taken."""
        return True

    def after_step(self, means: Mapping[str, float]) -> None:
        """Nothing follows a step."""

    @torch.no_grad()
    def evaluate(self) -> dict[str, float]:
        """Loss and accuracy a token on the held-out rows; empty where there are none."""
        if not self.eval_rows:
            return {}
        sums = {"loss": 0.0, "accuracy": 0.0, "tokens": 0.0}
        for row in self.eval_rows:
            batch = Batch.of(row, self.world.device)
            logits = self.roles(batch)
            sums["loss"] += float(negative_log_likelihood(logits, batch.labels))
            sums["accuracy"] += float(correct_tokens(logits, batch.labels))
            sums["tokens"] += len(batch.labels)
        totals = self.world.total([sums])
        return {f"eval/{name}": totals[name] / totals["tokens"] for name in ("loss", "accuracy")}

    def describe(self, batches: Sequence[Batch]) -> str:
        """File and line of the examples in these micro-batches of the last step."""
        samples = self.plan.samples(self.position - 1)
        origins = [str(samples[i].origin) for batch in batches for i in batch.examples]
        shown = ", ".join(origins[:4])
        return shown if len(origins) <= 4 else f"{shown} and {len(origins) - 4} more"

    def state_dict(self) -> dict[str, Any]:
        """The position in the data."""
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position."""
        self.position = state["position"]
        self._rows = None
