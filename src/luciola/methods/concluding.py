"""The end of a run: the best weights, the model's folder, the report."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from luciola.data.summary import counted
from luciola.methods.job import Job, Result
from luciola.methods.trainee import Trainee
from luciola.runs.folder import RunFolder
from luciola.runs.report import write_report
from luciola.training import checkpoint
from luciola.training.loop import Loop, Outcome
from luciola.training.world import World


def conclude(job: Job, loop: Loop[Any], outcome: Outcome, world: World, run: RunFolder) -> Result:
    """Keep the best weights, write the model and the report, and drop what only resuming needs."""
    figures = _figures(outcome, job.trainee, world)
    if loop.best_weights is not None and loop.best_weights.exists():
        checkpoint.restore(checkpoint.load_weights(loop.best_weights), job.trainee.parameters)
        figures["best_step"] = outcome.counters.best_step
        figures.update(job.method.best(outcome.counters.best_loss))
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
