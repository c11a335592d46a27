"""Answers to held-out prompts, judged by the reward and by a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luciola.errors import ConfigError
from luciola.methods.online.experience import Rollout
from luciola.methods.online.prompts import Prompt
from luciola.methods.online.sampling import Asked, Rollouts
from luciola.rollout.text import read
from luciola.seeds import seed
from luciola.training.world import World
from luciola.types import Sample


@dataclass(frozen=True)
class Evaluation:
    """Evaluates a policy.

    Args:
        prompts: held out.
        rollouts: answers them as it does in training.
        metric: a person's function of samples, prompts and outputs; None: the reward alone.
        name: the metric's, where it returns a plain list.
        world: the processes, which share the prompts.
        run_seed: the answers' noise follows from it, the same in every evaluation.
    """

    prompts: Sequence[Prompt]
    rollouts: Rollouts
    metric: Any
    name: str
    world: World
    run_seed: int

    def figures(self, version: int) -> dict[str, float]:
        """eval/score and each component of it, eval/length, and the metric's means."""
        share = range(self.world.rank, len(self.prompts), self.world.size)
        asked = [Asked(i, i, seed(self.run_seed, "evaluation", i)) for i in share]
        made = self.rollouts.make(self.prompts, asked, version=version, answers=1)
        everyone = sorted(self.world.gather(made), key=lambda one: one.index)
        names = everyone[0].parts
        parts = {f"component/{name}": [one.parts[name] for one in everyone] for name in names}
        columns = {
            "score": [one.total_score for one in everyone],
            "length": [float(len(one.ids)) for one in everyone],
            **(parts if len(parts) > 1 else {}),
            **self._metric(everyone),
        }
        return {f"eval/{name}": sum(column) / len(column) for name, column in columns.items()}

    def _metric(self, rollouts: Sequence[Rollout]) -> dict[str, list[float]]:
        if self.metric is None:
            return {}
        prompts = [self.prompts[one.prompt].text for one in rollouts]
        outputs = [self.text(one) for one in rollouts]
        samples = [prompt + output for prompt, output in zip(prompts, outputs, strict=True)]
        return metric_columns(self.metric, self.name, samples, prompts, outputs)

    def text(self, rollout: Rollout) -> str:
        """An answer without end token and stop text."""
        sample = Sample(0, rollout.ids, rollout.sampled, rollout.finish)
        return read(sample, self.rollouts.tokenizer, self.rollouts.stop).text


def metric_columns(
    metric: Any, name: str, samples: Sequence[str], prompts: Sequence[str], outputs: Sequence[str]
) -> dict[str, list[float]]:
    """What a metric says of each answer; it takes any of samples, prompts, outputs by name.

    Raises: ConfigError if it gives another number of values.
    """
    import inspect

    known: Mapping[str, Any] = {
        "samples": list(samples),
        "prompts": list(prompts),
        "outputs": list(outputs),
        "answers": list(outputs),
    }
    parameters = inspect.signature(metric).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    given = {k: v for k, v in known.items() if k in parameters or (takes_any and k != "answers")}
    result = metric(**given) if given else metric(list(samples))
    columns = result if isinstance(result, Mapping) else {name: result}
    made = {str(key): [float(value) for value in column] for key, column in columns.items()}
    for key, column in made.items():
        if len(column) != len(samples):
            raise ConfigError(
                f"the metric {key} gave {len(column)} values for {len(samples)} answers"
            )
    return made
