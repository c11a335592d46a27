"""From a method that is ready to a finished run's folder: the same for every method."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from luciola.config.training import TrainingConfig
from luciola.config.write import as_mapping, to_yaml
from luciola.data.summary import counted
from luciola.methods.capacity import explained
from luciola.methods.trainee import Trainee, average_for
from luciola.models.precision import Precision
from luciola.runs.folder import RUNS, RunFolder
from luciola.runs.progress import Progress
from luciola.runs.report import Figures, write_report
from luciola.runs.trackers import Tracker, open_trackers
from luciola.training import checkpoint
from luciola.training.loop import Loop, LoopSettings, Outcome
from luciola.training.method import Method
from luciola.training.optimizer import build_optimizer
from luciola.training.schedule import Schedule
from luciola.training.step import MicroBatchTooLargeError
from luciola.training.world import World

log = logging.getLogger(__name__)


SHOWN = {"score/mean": "score", "objective/kl": "KL", "lr": "lr"}
"""Figures beside the loss in the progress, and what they are called there."""


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
        self.shown: dict[str, float] = {}

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """The figures of a step, or of an evaluation after it."""
        self.folder.log(step, metrics)
        for tracker in self.trackers:
            tracker.log(step, metrics)
        if "loss" in metrics:
            tokens = int(metrics.get("tokens", 0))
            self.shown |= {word: metrics[name] for name, word in SHOWN.items() if name in metrics}
            self.progress.update(step, loss=metrics["loss"], tokens=tokens, **self.shown)
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


@dataclass(frozen=True)
class Job:
    """A method that is ready to run.

    Args:
        method: where batches come from, and the loss.
        trainee: what it trains.
        settings: counts and limits of the loop.
        introduction: what is trained, on what, in what precision: the first lines.
        title: of the report.
        save: writes the trained model, given the roles as they were before `World.prepare` and a
            folder.
        lr_scales: learning rates by role, as multiples of the recipe's; see `build_optimizer`.
        adam_eps: AdamW's epsilon.
        curves: which figures the report draws, each with its name in the chart.
        report: further figures of the report, asked for at the end of the run.
        sections: further parts of the report by their headings, asked for at its end, given the
            run's folder.
    """

    method: Method[Any]
    trainee: Trainee
    settings: LoopSettings
    introduction: Sequence[str]
    title: str
    save: Callable[[nn.Module, Path], None]
    lr_scales: Mapping[str, float] = field(default_factory=dict)
    adam_eps: float = 1e-8
    curves: Mapping[str, str] = field(default_factory=dict)
    report: Callable[[], Mapping[str, Any]] = dict
    sections: Callable[[Path], Mapping[str, str | Figures]] = lambda folder: {}


def conduct(
    config: TrainingConfig,
    name: str,
    build: Callable[[World, RunFolder], Job],
    *,
    fresh: bool = False,
    show: bool = True,
) -> Result:
    """A whole run: its processes, its folder, the job that `build` makes there, its report.

    Args:
        name: of the run's folder under runs/, where the recipe names none.
        build: called once the folder is open, and not at all where the run has finished before.
        fresh: begin again where the folder holds a run.
        show: progress and notes on the terminal.
    """
    world = World(config.device)
    with _folder(config, name, world, fresh=fresh) as folder:
        if world.any(folder.finished):
            text = (
                f"this run has finished already: {folder.model}\n"
                "  → Give another out=FOLDER, or --fresh to train again."
            )
            return Result(folder.path, folder.model, "finished before", text=text)
        return carry_out(config, build(world, folder), world, folder, show=show)


def _folder(config: TrainingConfig, name: str, world: World, *, fresh: bool) -> RunFolder:
    """The run's folder; only the main process opens it for writing, and does so first."""
    if world.is_main:
        recipe, text = as_mapping(config), to_yaml(config)
        opened = RunFolder.open(config.out, name, recipe, text=text, fresh=fresh)
        world.wait()
        return opened
    world.wait()
    return RunFolder(Path(config.out) if config.out else RUNS / name, writes=False)


def carry_out(
    config: TrainingConfig, job: Job, world: World, run: RunFolder, *, show: bool
) -> Result:
    """Train to the end, save the model, write the report; or stop when asked, and say how to go
    on.
    """
    found = checkpoint.latest(run.checkpoints)
    start = checkpoint.step_of(found) if found else 0
    trackers = open_trackers(config.track, run.path, as_mapping(config)) if world.is_main else []
    total = job.settings.total_steps
    with Progress(total, start_step=start, show=show and world.is_main) as progress:
        for line in job.introduction:
            progress.note(line)
        loop = Loop(
            method=job.method,
            settings=job.settings,
            schedule=Schedule(config.lr, total, config.schedule, config.warmup, config.min_lr),
            optimizer=_optimizer(config, job),
            parameters=job.trainee.parameters,
            world=world,
            folder=run.checkpoints,
            log=RunLog(run, progress, trackers),
            average=average_for(config, job.trainee),
            scaler=scaler_for(job.trainee.precision, world),
        )
        try:
            outcome = loop.run()
        except MicroBatchTooLargeError as error:
            raise explained(config, error, world.size) or error from None
    for tracker in trackers:
        tracker.close()
    if outcome.ending == "interrupted":
        return _interrupted(run, outcome, total)
    return _conclude(job, loop, outcome, world, run)


def _optimizer(config: TrainingConfig, job: Job) -> torch.optim.Optimizer:
    return build_optimizer(
        job.trainee.parameters,
        kind=config.optimizer,
        lr=config.lr,
        betas=config.betas,
        weight_decay=config.weight_decay,
        eps=job.adam_eps,
        lr_scales=job.lr_scales,
    )


def scaler_for(precision: Precision, world: World) -> torch.amp.GradScaler | None:
    """Of the loss, halved where a gradient overflows, doubled after 2,000 steps where none did.

    Source: Micikevicius et al. 2018, section 3.2, https://arxiv.org/abs/1710.03740.
    """
    return torch.amp.GradScaler(world.device.type) if precision.scales_losses else None


def _interrupted(run: RunFolder, outcome: Outcome, total: int) -> Result:
    text = (
        f"stopped at step {outcome.counters.step} of {total}; saved in {run.checkpoints}\n"
        "  → Run the same command again to go on from there."
    )
    return Result(run.path, run.model, outcome.ending, text=text)


def _conclude(job: Job, loop: Loop[Any], outcome: Outcome, world: World, run: RunFolder) -> Result:
    """Keep the best weights, write the model and the report, and drop what only resuming needs."""
    figures = _figures(outcome, job.trainee, world)
    if loop.best_weights is not None and loop.best_weights.exists():
        checkpoint.restore(checkpoint.load_weights(loop.best_weights), job.trainee.parameters)
        figures["best_step"] = outcome.counters.best_step
        figures["eval_loss"] = outcome.counters.best_loss
    elif loop.average is not None:
        checkpoint.restore(loop.average.values, job.trainee.parameters)
    figures.update(job.report())
    if world.is_main:
        metrics = run.metrics()
        figures.update(_evaluations(metrics))
        job.save(world.unwrap(job.trainee.roles), run.model)
        write_report(
            run.path,
            figures,
            title=job.title,
            metrics=metrics,
            curves=job.curves,
            sections=job.sections(run.path),
        )
        shutil.rmtree(run.checkpoints, ignore_errors=True)
    world.wait()
    text = f"{outcome.ending}: {run.model} after {counted(outcome.counters.step, 'step')}"
    return Result(run.path, run.model, outcome.ending, figures, text)


def _evaluations(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Every evaluation of the run: its step, and its figures without "eval/"; absent where there
    was none.
    """
    found = []
    for row in metrics:
        figures = {k.removeprefix("eval/"): v for k, v in row.items() if k.startswith("eval/")}
        if figures:
            found.append({"step": row["step"], **figures})
    return {"evaluations": found} if found else {}


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
