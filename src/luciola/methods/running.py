"""From a method that is ready to a finished run's folder: the same for every method."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.config.training import TrainingConfig
from luciola.data.summary import counted
from luciola.methods.preparation import Trainee, average_for, optimizer_for
from luciola.models.save import save_model
from luciola.runs.folder import RunFolder
from luciola.runs.progress import Progress
from luciola.runs.report import write_report
from luciola.runs.trackers import Tracker, open_trackers
from luciola.training import checkpoint
from luciola.training.loop import Loop, LoopSettings, Outcome
from luciola.training.method import Method
from luciola.training.schedule import Schedule
from luciola.training.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What came of a run.

    Args:
        folder: the run's.
        model: where the trained model lies; there when the run has come to its end.
        ending: "finished", "stopped early", "interrupted", or "finished before".
        figures: as in report.json.
        text: what to tell a person at the end.
    """

    folder: Path
    model: Path
    ending: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""


class RunLog:
    """Sends figures to the run's folder, its progress and its trackers; see `training.loop.Log`."""

    def __init__(
        self, folder: RunFolder, progress: Progress, trackers: Sequence[Tracker] = ()
    ) -> None:
        self.folder = folder
        self.progress = progress
        self.trackers = trackers

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """The figures of a step, or of an evaluation after it."""
        self.folder.log(step, metrics)
        for tracker in self.trackers:
            tracker.log(step, metrics)
        if "loss" in metrics:
            tokens = int(metrics.get("tokens", 0))
            self.progress.update(step, loss=metrics["loss"], tokens=tokens, lr=metrics["lr"])
        else:
            shown = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
            self.progress.note(f"step {step}: {shown}")

    def forget_after(self, step: int) -> None:
        """The run goes on from `step`."""
        self.folder.forget_after(step)

    def note(self, text: str) -> None:
        """A line for people."""
        self.progress.note(text)


def loop_settings(config: TrainingConfig, total_steps: int, steps_per_epoch: int) -> LoopSettings:
    """The recipe's counts, with what it leaves open filled in."""
    return LoopSettings(
        total_steps=total_steps,
        eval_every=config.eval_every or min(steps_per_epoch, total_steps),
        save_every=config.save_every or max(1, -(-total_steps // 10)),
        keep=config.keep,
        patience=config.patience,
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
    )


def carry_out(
    config: TrainingConfig,
    recipe: Mapping[str, Any],
    method: Method[Any],
    trainee: Trainee,
    tokenizer: PreTrainedTokenizerBase,
    world: World,
    run: RunFolder,
    settings: LoopSettings,
    *,
    show: bool,
    introduction: Sequence[str],
) -> Result:
    """Train to the end, save the model, write the report; or stop when asked, and say how to go on.

    Args:
        recipe: complete, for trackers.
        introduction: what is trained, on what, in what precision: the first lines.
        show: progress and notes on the terminal.
    """
    found = checkpoint.latest(run.checkpoints)
    start = checkpoint.step_of(found) if found else 0
    trackers = open_trackers(config.track, run.path, recipe) if world.is_main else []
    total = settings.total_steps
    with Progress(total, start_step=start, show=show and world.is_main) as progress:
        for line in introduction:
            progress.note(line)
        loop = Loop(
            method=method,
            settings=settings,
            schedule=Schedule(config.lr, total, config.schedule, config.warmup, config.min_lr),
            optimizer=optimizer_for(config, trainee),
            parameters=trainee.parameters,
            world=world,
            folder=run.checkpoints,
            log=RunLog(run, progress, trackers),
            average=average_for(config, trainee),
        )
        outcome = loop.run()
    for tracker in trackers:
        tracker.close()
    if outcome.ending == "interrupted":
        return _interrupted(run, outcome, total)
    return _conclude(config, loop, outcome, trainee, tokenizer, world, run)


def _interrupted(run: RunFolder, outcome: Outcome, total: int) -> Result:
    text = (
        f"stopped at step {outcome.counters.step} of {total}; saved in {run.checkpoints}\n"
        "  → Run the same command again to go on from there."
    )
    return Result(run.path, run.model, outcome.ending, text=text)


def _conclude(
    config: TrainingConfig,
    loop: Loop[Any],
    outcome: Outcome,
    trainee: Trainee,
    tokenizer: PreTrainedTokenizerBase,
    world: World,
    run: RunFolder,
) -> Result:
    """Keep the best weights, write the model and the report, and drop what only resuming needs."""
    figures = _figures(outcome, trainee, world)
    if loop.best_weights is not None and loop.best_weights.exists():
        checkpoint.restore(checkpoint.load_weights(loop.best_weights), trainee.parameters)
        figures["best_step"] = outcome.counters.best_step
        figures["eval_loss"] = outcome.counters.best_loss
    elif loop.average is not None:
        checkpoint.restore(loop.average.values, trainee.parameters)
    if world.is_main:
        policy = world.unwrap(trainee.roles)
        save_model(
            policy.model,  # type: ignore[arg-type]
            tokenizer,
            run.model,
            name=config.model,
        )
        title = f"Fine-tuning of {config.model}"
        write_report(run.path, figures, title=title, metrics=run.metrics())
        shutil.rmtree(run.checkpoints, ignore_errors=True)
    world.wait()
    text = f"{outcome.ending}: {run.model} after {counted(outcome.counters.step, 'step')}"
    return Result(run.path, run.model, outcome.ending, figures, text)


def _figures(outcome: Outcome, trainee: Trainee, world: World) -> dict[str, Any]:
    counters = outcome.counters
    return {
        "ending": outcome.ending,
        "steps": counters.step,
        "loss": counters.last["loss"],
        "train_s": round(counters.train_s, 2),
        "tokens": int(counters.tokens),
        "tokens_per_s": round(counters.tokens / max(counters.train_s, 1e-9), 1),
        "trained_parameters": trainee.count.trained,
        "parameters": trainee.count.total,
        "device": str(world.device),
        "processes": world.size,
        "precision": str(trainee.precision),
        "packing": trainee.kind,
    }
