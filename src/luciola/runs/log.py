"""Where the loop's figures go: the folder of the run, its trackers, and the progress shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from luciola.runs.folder import RunFolder
from luciola.runs.progress import Progress
from luciola.runs.trackers import Tracker


class RunLog:
    """Hands the figures of each step on. The loss that is shown is the figure `loss`.

    Args:
        folder: keeps every figure.
        progress: shows steps that have a loss, and says what an evaluation found.
        trackers: see every figure too.
    """

    def __init__(
        self, folder: RunFolder, progress: Progress, trackers: Sequence[Tracker] = ()
    ) -> None:
        self.folder = folder
        self.progress = progress
        self.trackers = trackers

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Keep and show the figures after optimizer step `step`."""
        self.folder.log(step, metrics)
        for tracker in self.trackers:
            tracker.log(step, metrics)
        if "loss" in metrics:
            speed = metrics.get("tokens_per_s")
            self.progress.update(step, loss=metrics["loss"], tokens_per_s=speed)
        elif "eval/loss" in metrics:
            self.note(f"step {step}: evaluation loss {metrics['eval/loss']:.4f}")

    def forget_after(self, step: int) -> None:
        """Drop the figures after `step`, where the run goes on from."""
        self.folder.forget_after(step)

    def note(self, text: str) -> None:
        """Print a line above the progress."""
        self.progress.note(text)

    def close(self) -> None:
        """End the progress and the trackers. The folder stays open for the report."""
        self.progress.close()
        for tracker in self.trackers:
            tracker.close()
