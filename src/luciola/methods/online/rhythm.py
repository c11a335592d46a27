"""Which prompts are answered when, and which answers are in which batch: all by address."""

from __future__ import annotations

from dataclasses import dataclass

from luciola.config.online import OnlineConfig
from luciola.data.order import permutation
from luciola.methods.online.sampling import Asked
from luciola.seeds import seed


@dataclass(frozen=True)
class Rhythm:
    """The plan of a run; positions in it are all that has to be saved.

    Args:
        config: the recipe.
        prompts: how many there are.
        iterations: rounds of sampling and learning.
    """

    config: OnlineConfig
    prompts: int
    iterations: int

    @property
    def batches_per_pass(self) -> int:
        """Optimizer steps in one pass over an iteration's answers."""
        return -(-self.config.rollouts // self.config.batch)

    @property
    def steps_per_iteration(self) -> int:
        """Optimizer steps of an iteration that is not ended early."""
        return self.batches_per_pass * self.config.updates

    def members(self, iteration: int, position: int) -> list[int]:
        """The answers of a batch: each pass over them has an order of its own."""
        index, part = divmod(position, self.batches_per_pass)
        order = permutation(self.config.rollouts, self.config.seed, "updates", iteration, index)
        size = self.config.batch
        return [int(i) for i in order[part * size : (part + 1) * size]]

    def asked(self, iteration: int) -> list[Asked]:
        """The prompts of an iteration, in the data's shuffled order, and their answers' seeds.

        Where it is pictured, the traced prompts take the place of others.
        """
        count = self.config.rollouts // self.config.answers
        chosen = self._prompts_at(range(iteration * count, (iteration + 1) * count))
        if self.is_traced(iteration):
            wanted = range(min(self.config.trace_prompts, self.prompts, count))
            missing = [prompt for prompt in wanted if prompt not in chosen]
            free = [place for place, prompt in enumerate(chosen) if prompt not in wanted]
            for place, prompt in zip(free, missing, strict=False):
                chosen[place] = prompt
        address = (self.config.seed, "rollout", iteration)
        return [Asked(i, prompt, seed(*address, i)) for i, prompt in enumerate(chosen)]

    def is_traced(self, iteration: int) -> bool:
        """Whether pictures are taken: at the recipe's rhythm, and at the last iteration."""
        if not self.config.trace_prompts:
            return False
        every = self.config.trace_every or max(1, self.iterations // 20)
        return iteration % every == 0 or iteration + 1 == self.iterations

    def _prompts_at(self, places: range) -> list[int]:
        """Which prompts come there, where all are gone through again and again, shuffled anew."""
        epochs = range(places[0] // self.prompts, places[-1] // self.prompts + 1)
        orders = {n: permutation(self.prompts, self.config.seed, "prompts", n) for n in epochs}
        return [int(orders[place // self.prompts][place % self.prompts]) for place in places]
