"""From a method that is ready to a finished run's folder: the same for every method."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch

from luciola.config.training import TrainingConfig
from luciola.config.write import as_mapping, to_yaml
from luciola.errors import FRESH
from luciola.methods.capacity import explained
from luciola.methods.concluding import conclude
from luciola.methods.given import is_resumable, named_contents
from luciola.methods.job import Job, Result
from luciola.methods.run_log import RunLog
from luciola.methods.trainee import average_for
from luciola.models.precision import Precision
from luciola.rewards.waiting import is_overdue
from luciola.runs.folder import RUNS, RunFolder
from luciola.runs.progress import Progress
from luciola.runs.trackers import open_trackers
from luciola.training import checkpoint
from luciola.training.loop import Loop, Outcome
from luciola.training.optimizer import build_optimizer
from luciola.training.schedule import Schedule
from luciola.training.step import MicroBatchTooLargeError
from luciola.training.world import World


def conduct(
    config: TrainingConfig,
    name: str,
    build: Callable[[World, RunFolder], Job],
    *,
    fresh: bool = False,
    show: bool = True,
    given: Mapping[str, str] | None = None,
) -> Result:
    """A whole run: its processes, its folder, the job that `build` makes there, its report.

    Args:
        name: of the run's folder under runs/, where the recipe names none.
        build: called once the folder is open, and not at all where the run has finished before.
        fresh: begin again where the folder holds a run.
        show: progress and notes on the terminal.
        given: fingerprints of the data, by what they are, beside those of `named_contents`.

    Raises: DataError where the folder holds a run that began with something else.
    """
    world = World(config.device)
    contents = {**named_contents(config), **(given or {})}
    with _folder(config, name, world, contents, fresh=fresh) as folder:
        if world.any(folder.finished):
            text = (
                f"this run has finished already: {folder.model}\n"
                f"  → Give another out=FOLDER, or {FRESH} to train again."
            )
            return Result(folder.path, folder.model, "finished before", folder.report(), text)
        onward = _onward([to_yaml(config), *contents.values()], fresh=fresh)
        return carry_out(config, build(world, folder), world, folder, onward, show=show)


def _folder(
    config: TrainingConfig, name: str, world: World, given: Mapping[str, str], *, fresh: bool
) -> RunFolder:
    """The run's folder; only the main process opens it for writing, and does so first."""
    name = world.gather([name])[0]  # what cannot be compared has another name in each process
    if world.is_main:
        recipe, text = as_mapping(config), to_yaml(config)
        opened = RunFolder.open(config.out, name, recipe, text=text, fresh=fresh, given=given)
        world.wait()
        return opened
    world.wait()
    return RunFolder(Path(config.out) if config.out else RUNS / name, writes=False)


def carry_out(
    config: TrainingConfig, job: Job, world: World, run: RunFolder, onward: str, *, show: bool
) -> Result:
    """Train to the end, save the model, write the report; or stop when asked, and say `onward`."""
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
            at_once=is_overdue,
        )
        try:
            outcome = loop.run()
        except MicroBatchTooLargeError as error:
            raise explained(config, error, world.size) or error from None
    for tracker in trackers:
        tracker.close()
    if outcome.ending == "interrupted":
        return _interrupted(run, outcome, total, onward)
    return conclude(job, loop, outcome, world, run)


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


def _onward(texts: Iterable[str], *, fresh: bool) -> str:
    """How an interrupted run is gone on with, or why it cannot be."""
    if not is_resumable(texts):
        return (
            "The same call begins anew, because something that it was given cannot be compared "
            "with an earlier call's (the notice at the start says what). With "
            "luciola.named('NAME', ...) around it, the next run can be resumed."
        )
    if fresh:
        return f"Run the same again without {FRESH} to go on from there."
    return "Run the same command again to go on from there."


def _interrupted(run: RunFolder, outcome: Outcome, total: int, onward: str) -> Result:
    saved = f"stopped at step {outcome.counters.step} of {total}; saved in {run.checkpoints}"
    text = f"{saved}\n  → {onward}"
    return Result(run.path, run.model, outcome.ending, text=text)
