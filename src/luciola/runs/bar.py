"""The live progress bar of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

if TYPE_CHECKING:
    from luciola.runs.progress import Status


class Bar:
    """One line that is redrawn: what, how far, and the status in words.

    Args:
        total: the last step.
        start: steps done before.
        what: a word in front.
        stream: a terminal.
    """

    def __init__(self, total: int, start: int, what: str, stream: TextIO) -> None:
        console = Console(file=stream)
        count_width = len(f"{total}/{total}")
        self._progress = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=count_width)),
            TextColumn("{task.fields[status]}", table_column=Column(no_wrap=True)),
            console=console,
            refresh_per_second=4,
        )
        self._task = self._progress.add_task(what, total=total, completed=start, status="")
        self._progress.start()

    def show(self, status: Status) -> None:
        """Redraw; the first step at once, later ones a few times per second."""
        words = " · ".join(status.words())
        self._progress.update(self._task, completed=status.step, status=words)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()
