"""The one loop: steps, evaluations, checkpoints, resuming, stopping. It knows no method."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol

import torch
from torch import nn

from luciola.training.interrupt import Interrupt, interruptible
from luciola.training.keeping import Keeper
from luciola.training.method import B, Method
from luciola.training.optimizer import Average
from luciola.training.schedule import Schedule
from luciola.training.step import MicroBatchTooLargeError, optimizer_step, release_memory
from luciola.training.world import World


class Log(Protocol):
    """Where a run's figures go; the run's folder, its progress bar and trackers."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def forget_after(self, step: int) -> None:
        """Drop what was logged after `step`: the run goes on from there."""

    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class LoopSettings:
    """What the loop needs of a recipe; every count in optimizer steps.

    Args:
        eval_first: also evaluate before the first step.
    """

    total_steps: int
    eval_every: int = 0
    eval_first: bool = False
    save_every: int = 0
    keep: int = 1
    patience: int = 0
    max_grad_norm: float = 1.0
    seed: int = 0


@dataclass
class Counters:
    """The loop's own state; all of it is in the checkpoint."""

    step: int = 0
    train_s: float = 0.0
    tokens: float = 0.0
    best_loss: float = float("inf")
    best_step: int = 0
    evaluations_without_gain: int = 0
    last: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: "finished", "stopped early" or "interrupted"."""

    ending: str
    counters: Counters


@dataclass
class Loop(Generic[B]):
    """A run in progress.

    Args:
        method: where batches come from, and the loss.
        settings: counts and limits.
        schedule: the learning rate by step.
        optimizer: over `parameters`.
        parameters: what is trained, by name.
        world: the processes.
        folder: where checkpoints lie; None: none are written.
        log: where figures go (the main process only).
        average: running average of the weights, or None.
        scaler: of the loss, where products are float16; else None.
        after_step: called after each step with its number (tests stop a run here).
        at_once: whether Ctrl-C should not wait for the end of the step.
    """

    method: Method[B]
    settings: LoopSettings
    schedule: Schedule
    optimizer: torch.optim.Optimizer
    parameters: Mapping[str, nn.Parameter]
    world: World
    folder: Path | None
    log: Log
    average: Average | None = None
    scaler: torch.amp.GradScaler | None = None
    after_step: Callable[[int], None] | None = None
    at_once: Callable[[], bool] = lambda: False
    counters: Counters = field(default_factory=Counters)

    def __post_init__(self) -> None:
        self.keeper = Keeper(
            self.folder, self.parameters, self.optimizer, self.world, self.average, self.scaler
        )

    def run(self) -> Outcome:
        """Train to the end, from the newest checkpoint where there is one."""
        self._resume()
        with interruptible(self.log.note, self.at_once) as interrupt:
            return Outcome(self._steps(interrupt), self.counters)

    def _steps(self, interrupt: Interrupt) -> str:
        self.method.roles.train()
        if self.settings.eval_first and not self.counters.step:
            self._evaluate()
        while self.counters.step < self.settings.total_steps:
            began = time.perf_counter()
            batches = self.method.next_step()
            if batches is None:
                self._evaluate_at_the_end()
                break
            self._set_lr()
            means = self._step(batches)
            if self.average is not None:
                self.average.update()
            self.counters.step += 1
            self._record(means, time.perf_counter() - began)
            stop = self._evaluate_if_due()
            if self.world.any(interrupt.asked):
                self._save()
                return "interrupted"
            self._save_if_due()
            if self.after_step is not None:
                self.after_step(self.counters.step)
            if stop:
                return "stopped early"
        return "finished"

    def _step(self, batches: Sequence[B]) -> dict[str, float]:
        """One step, again in smaller micro-batches where memory ran out: the result is the same.

        Raises: MicroBatchTooLargeError where they cannot be smaller.
        """
        while True:
            try:
                return optimizer_step(
                    self.method,
                    batches,
                    self.optimizer,
                    self.world,
                    step=self.counters.step,
                    run_seed=self.settings.seed,
                    max_grad_norm=self.settings.max_grad_norm,
                    scaler=self.scaler,
                )
            except MicroBatchTooLargeError:
                smaller = self.method.halve()
                if smaller is None:
                    raise
            parts = f"from {len(batches)} micro-batches to {len(smaller)}"
            self.log.note(f"out of memory in step {self.counters.step + 1}: {parts}, same result")
            batches = smaller
            release_memory()

    def _set_lr(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.at(self.counters.step) * group.get("lr_scale", 1.0)

    def _record(self, means: dict[str, float], seconds: float) -> None:
        self.counters.train_s += seconds
        tokens = means.get("tokens", 0.0)
        self.counters.tokens += tokens
        means.update(self.method.figures())
        means["lr"] = self.schedule.at(self.counters.step - 1)
        means["tokens_per_s"] = tokens / max(seconds, 1e-9)
        self.counters.last = means
        if self.world.is_main:
            self.log.log(self.counters.step, means)

    def _evaluate_if_due(self) -> bool:
        """Evaluate where it is time; returns whether patience has run out."""
        every, step = self.settings.eval_every, self.counters.step
        if not every or (step % every and step != self.settings.total_steps):
            return False
        return self._evaluate()

    def _evaluate_at_the_end(self) -> None:
        """A method that ends before its last possible step is evaluated there as well."""
        every, step = self.settings.eval_every, self.counters.step
        if every and step % every:
            self._evaluate()

    def _evaluate(self) -> bool:
        figures = self.evaluate()
        if figures and self.world.is_main:
            self.log.log(self.counters.step, figures)
        badness = self.method.judge(figures) if figures else None
        return badness is not None and self._judge(badness)

    def evaluate(self) -> dict[str, float]:
        """Figures on held-out data, with the averaged weights where there are any."""
        self.method.roles.eval()
        try:
            if self.average is None:
                return dict(self.method.evaluate())
            with self.average.applied():
                return dict(self.method.evaluate())
        finally:
            self.method.roles.train()

    def _judge(self, loss: float) -> bool:
        counters = self.counters
        if loss < counters.best_loss:
            counters.best_loss, counters.best_step = loss, counters.step
            counters.evaluations_without_gain = 0
            self.keeper.save_best()
            return False
        counters.evaluations_without_gain += 1
        return 0 < self.settings.patience <= counters.evaluations_without_gain

    @property
    def best_weights(self) -> Path | None:
        """File of the weights with the lowest evaluation loss; None where nothing is kept."""
        return self.keeper.best_weights

    def _save_if_due(self) -> None:
        every, step = self.settings.save_every, self.counters.step
        if every and step % every == 0:
            self._save()

    def _save(self) -> None:
        counters = self.counters
        self.keeper.save(counters.step, self.method, vars(counters), self.settings.keep)

    def _resume(self) -> None:
        saved = self.keeper.restored(self.method)
        if saved is None:
            self.log.forget_after(0)
            return
        self.counters = Counters(**saved.state["loop"])
        if self.world.is_main:
            self.log.forget_after(saved.step)
            self.log.note(f"going on from step {saved.step} of {self.settings.total_steps}")
