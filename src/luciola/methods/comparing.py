"""What reward models and DPO have in common: steps over comparisons, and their evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from luciola.methods.pairing import ComparisonBatch, ComparisonPlan
from luciola.methods.planned import Planned
from luciola.training.method import Term
from luciola.training.step import Sums


class Comparing(Planned, ABC):
    """Training on the comparisons of a plan; the loss is the subclass's.

    Args:
        roles: the run's one module, prepared for its processes.
        plan: this process's micro-batches by step.
        world: the processes.
    """

    plan: ComparisonPlan
    data_name = "comparisons"

    def weights(self, batch: ComparisonBatch) -> dict[str, float]:
        """Comparisons divide the loss; all tokens are counted for the speed."""
        tokens = batch.batch.num_tokens if batch.comparisons else 0
        return {
            "comparisons": float(batch.comparisons),
            "answers": float(len(batch.answers)),
            "tokens": float(tokens),
        }

    @abstractmethod
    def loss(self, batch: ComparisonBatch) -> Mapping[str, Term]:
        """The terms of one micro-batch."""

    def evaluate(self) -> dict[str, float]:
        """The loss and its figures on the held-out comparisons; empty where there are none."""
        held_out = self.plan.data.held_out
        return self.figures_on(held_out) if len(held_out) else {}

    def figures_on(self, numbers: Sequence[int]) -> dict[str, float]:
        """The means of all terms over some comparisons, named eval/…"""
        sums, weights = self.without_gradients(lambda: self.plan.lay_out(numbers), self._summed)
        means = self.world.means(sums.terms, self.world.total(weights))
        return {f"eval/{name}": value for name, value in means.items()}

    def _summed(self, batches: Iterable[ComparisonBatch]) -> tuple[Sums, list[dict[str, float]]]:
        """The terms of some micro-batches together, and the weights of each."""
        sums = Sums()
        weights: list[dict[str, float]] = []
        for batch in batches:
            sums.add(self.loss(batch))
            weights.append(self.weights(batch))
        return sums, weights
