"""Answers to held-out prompts, judged by the reward and by a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luciola.errors import ConfigError
from luciola.methods.online.experience import Rollout
from luciola.methods.online.prompts import Prompt
from luciola.methods.online.sampling import Asked, Rollouts
from luciola.rewards.checking import as_list, as_number, own_line
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

    Raises: ConfigError if it raises, or gives another number of values or what is no number.
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
    try:
        result = metric(**given) if given else metric(list(samples))
    except (Exception, SystemExit) as error:  # a person's code may raise anything
        where = own_line(error)
        raised = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")
        raise ConfigError(
            f"the metric {name} raised {raised}" + (f" at {where}" if where else ""),
            remedy="Correct it there. The last checkpoint is kept.",
        ) from error
    columns = result if isinstance(result, Mapping) else {name: result}
    return {str(key): _column(str(key), column, len(samples)) for key, column in columns.items()}


def _column(name: str, column: Any, count: int) -> list[float]:
    """A metric's values as floats; NaN is one: it says that nothing is known of an answer."""
    values = as_list(column)
    if values is None:
        raise ConfigError(
            f"the metric {name} gave {type(column).__name__} {column!r:.60}, not a list of numbers",
            remedy="Return one number per answer, or a mapping from names to such lists.",
        )
    if len(values) != count:
        raise ConfigError(f"the metric {name} gave {len(values)} values for {count} answers")
    for place, value in enumerate(values):
        if as_number(value) is None:
            raise ConfigError(
                f"the metric {name} gave {type(value).__name__} {value!r:.60} for answer "
                f"{place + 1}, which is no number"
            )
    return [float(value) for value in values]
