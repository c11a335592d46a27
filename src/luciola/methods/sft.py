"""Supervised fine-tuning: next-token loss on what is trained, and nothing else.

The method, and the way from its recipe to a run. Pre-training is the same method on plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luciola.config.sft import SftConfig
from luciola.config.training import TrainingConfig
from luciola.config.write import as_mapping
from luciola.conversation.template import load_template
from luciola.data.rows import Row
from luciola.methods.capacity import micro_tokens
from luciola.methods.examples import Examples, load_examples
from luciola.methods.job import Job, Result, loop_settings
from luciola.methods.planned import Planned, some_of
from luciola.methods.preparation import describe_plan, prepare, tokenizer_of
from luciola.methods.requirements import check_machine
from luciola.methods.running import conduct
from luciola.methods.stream import Plan, Rendered, fingerprint, lay_out, rows_from, share
from luciola.methods.trainee import Trainee
from luciola.models.batch import Batch
from luciola.models.context import within_context
from luciola.models.logit_arithmetic import Wanted
from luciola.models.save import save_model
from luciola.runs.folder import RunFolder
from luciola.runs.recipe import run_name
from luciola.training.method import Term
from luciola.training.world import World
from luciola.types import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Sft(Planned):
    """Fine-tuning on the rows of a plan.

    Args:
        roles: a `Policy`, prepared for the run's processes.
        plan: this process's rows by step.
        world: the processes.
        held_out: examples to evaluate on, over all processes; empty: no evaluation.
        workers: processes that make rows ahead of the training step.
    """

    plan: Plan

    def __init__(
        self,
        roles: nn.Module,
        plan: Plan,
        world: World,
        *,
        held_out: Sequence[Tokens] = (),
        workers: int = 0,
    ) -> None:
        super().__init__(roles, plan, world)
        self.held_out = held_out
        self.workers = workers
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

    def halve(self) -> list[Batch] | None:
        """The last step again, in rows half as long."""
        if not self._cut(self.plan[self.position - 1]):
            return None
        return [Batch.of(row, self.world.device) for row in self.plan[self.position - 1]]

    def limit(self, capacity: int) -> None:
        """From now on rows have at most `capacity` tokens; those made ahead are thrown away."""
        super().limit(capacity)
        self._rows = None

    def weights(self, batch: Batch) -> dict[str, float]:
        """Trained tokens divide the loss; all tokens are counted for the speed.

        A row without examples only keeps a process in step with the others, and counts for nothing.
        """
        tokens = batch.num_tokens if batch.examples else 0
        return {"trained_tokens": float(len(batch.labels)), "tokens": float(tokens)}

    def loss(self, batch: Batch) -> dict[str, Term]:
        """Negative log-likelihood of the trained tokens, in nats a token."""
        scores = self.roles(batch, Wanted(best=True))
        correct = (scores.best == batch.labels).sum().float()
        return {
            "nll": Term(-scores.logprobs.sum(), per="trained_tokens"),
            "accuracy": Term(correct, per="trained_tokens", scale=0.0),
        }

    def evaluate(self) -> dict[str, float]:
        """Loss and accuracy a token on the held-out examples; empty where there are none."""
        if not self.held_out:
            return {}
        totals = self.world.total([self.without_gradients(self._eval_rows, self._summed)])
        return {f"eval/{name}": totals[name] / totals["tokens"] for name in ("loss", "accuracy")}

    def _eval_rows(self) -> list[Row]:
        """This process's rows of the held-out examples."""
        rows = lay_out(self.held_out, self.plan.kind, self.plan.capacity)
        return share(rows, self.world.rank, self.world.size)

    def _summed(self, rows: Iterable[Row]) -> dict[str, float]:
        """Losses, hits and tokens of some rows together."""
        loss = torch.zeros((), dtype=torch.float64, device=self.world.device)
        correct, tokens = loss.clone(), 0
        for row in rows:
            batch = Batch.of(row, self.world.device)
            scores = self.roles(batch, Wanted(best=True))
            loss -= scores.logprobs.sum()
            correct += (scores.best == batch.labels).sum()
            tokens += len(batch.labels)
        return {"loss": float(loss), "accuracy": float(correct), "tokens": float(tokens)}

    def describe(self, batches: Sequence[Batch]) -> str:
        """File and line of the examples in these micro-batches of the last step."""
        samples = self.plan.samples(self.position - 1)
        return some_of(str(samples[i].origin) for batch in batches for i in batch.examples)


def sft(*, fresh: bool = False, **settings: Any) -> Result:
    """Fine-tune a model; the settings are those of `SftConfig`, e.g. `sft(model=M,
    data="a.jsonl")`.

    Args:
        fresh: begin again where the folder holds a run.

    Raises: LuciolaError saying what was seen, where, and what to do.
    """
    from luciola.config.load import from_mapping

    return run(from_mapping(SftConfig, settings), fresh=fresh, show=False)


def run(
    config: SftConfig, *, dry_run: bool = False, fresh: bool = False, show: bool = True
) -> Result:
    """Carry out a recipe, from its data files to a finished run's folder.

    Args:
        dry_run: check everything, say what would be trained, and stop.
        fresh: begin again where the folder holds a run.
        show: progress on the terminal.
    """
    check_machine(config)
    tokenizer = tokenizer_of(config)
    config = within_context(config)
    examples = load_examples(config, tokenizer)
    if config.template:  # checked by now; the model's folder keeps it
        tokenizer.chat_template = load_template(config.template)
    name = run_name("sft", config.model, config.data[0].path, as_mapping(config))
    return train(
        config,
        examples,
        tokenizer,
        name,
        dry_run=dry_run,
        fresh=fresh,
        show=show,
        given={} if dry_run else {"data": _fingerprint(examples)},
    )


def _fingerprint(examples: Examples) -> str:
    """Of the examples to train on and those held out."""
    held_out = fingerprint(Rendered(list(examples.held_out))) if examples.held_out else ""
    return fingerprint(examples.source) + held_out


def train(
    config: TrainingConfig,
    examples: Examples,
    tokenizer: PreTrainedTokenizerBase,
    name: str,
    *,
    dry_run: bool = False,
    fresh: bool = False,
    show: bool = True,
    workers: int = 0,
    given: Mapping[str, str] | None = None,
) -> Result:
    """Fine-tune on examples that were read or made elsewhere; the rest is as in `run`.

    Args:
        name: of the run's folder under runs/, where the recipe names none.
        workers: processes that make rows ahead of the training step, for examples that take time.
        given: fingerprints of what the recipe only names; see `conduct`.
    """
    if dry_run:
        return Result(Path(), Path(), "dry run", text=describe_plan(config, examples))

    def build_job(world: World, folder: RunFolder) -> Job:
        trainee = prepare(config, world, shared_prefixes=examples.shared_prefixes)
        method = build(config, examples, trainee, world, workers=workers)
        return Job(
            method=method,
            trainee=trainee,
            settings=loop_settings(config, len(method.plan), method.plan.steps_per_epoch),
            introduction=introduction(config, examples, trainee, world, folder.path),
            title=f"Fine-tuning of {config.model}",
            save=saver(config.model, tokenizer),
        )

    return conduct(config, name, build_job, fresh=fresh, show=show, given=given)


def saver(name: str, tokenizer: PreTrainedTokenizerBase) -> Callable[[nn.Module, Path], None]:
    """Writes the roles' language model as a folder of its own; `name` is its base's."""

    def save(roles: nn.Module, folder: Path) -> None:
        save_model(roles.model, tokenizer, folder, name=name)  # type: ignore[arg-type]

    return save


def build(
    config: TrainingConfig, examples: Examples, trainee: Trainee, world: World, *, workers: int = 0
) -> Sft:
    """The method of a recipe over a model that is ready."""
    figures = examples.statistics
    share = figures.trained / max(figures.tokens, 1)
    capacity = micro_tokens(config, world, trained_share=share)
    plan = Plan(
        source=examples.source,
        order=examples.order,
        batch=config.batch,
        epochs=config.epochs,
        max_steps=config.max_steps,
        kind=trainee.kind,
        capacity=capacity,
        rank=world.rank,
        size=world.size,
    )
    held_out = list(examples.held_out)
    return Sft(trainee.roles, plan, world, held_out=held_out, workers=workers)


def introduction(
    config: TrainingConfig, examples: Examples, trainee: Trainee, world: World, folder: Path
) -> list[str]:
    """What is trained, on what, where and how: the first lines of every run."""
    figures = examples.statistics
    return [
        f"training {trainee.count} of {config.model} on {figures.examples:,} examples "
        f"({figures.trained:,} trained of {figures.tokens:,} tokens) {trainee.place(world)}, "
        f"in {folder}",
        *world.notes,
        *examples.notes,
        *figures.text(in_trees=trainee.kind == "tree").splitlines()[1:],
    ]
