"""Where the figures of a run's steps and evaluations go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from luciola.runs.folder import RunFolder
from luciola.runs.progress import Progress
from luciola.runs.trackers import Tracker

SHOWN = {"score/mean": "score", "objective/kl": "KL", "lr": "lr"}
"""Figures beside the loss in the progress, and what they are called there."""


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
