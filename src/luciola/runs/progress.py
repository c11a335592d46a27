"""How far a run is: step, loss, tokens per second and time left, from the first step on.

On a terminal a live bar; in a log file or a pipe a plain line at a rhythm, so that a long run does
not fill it.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

WINDOW = 30
"""Steps over which speed is measured: enough to be steady, few enough to follow a change."""
LINE_EVERY_S = 10.0
LINE_EVERY_SHARE = 0.05


@dataclass(frozen=True)
class Status:
    """What is known after a step; None is not known yet.

    Args:
        tokens_per_s: over the last steps.
        left_s: estimate of the seconds left.
    """

    step: int
    total_steps: int
    loss: float | None
    tokens_per_s: float | None
    left_s: float | None
    figures: Mapping[str, float]

    def words(self) -> list[str]:
        """The status in short words, without the step."""
        words = []
        if self.loss is not None:
            words.append(f"loss {self.loss:.4f}")
        if self.tokens_per_s is not None:
            words.append(f"{self.tokens_per_s:,.0f} tokens/s")
        if self.left_s is not None:
            words.append(f"{clock(self.left_s)} left")
        return words + [f"{name} {value:.3g}" for name, value in self.figures.items()]

    def __str__(self) -> str:
        return " · ".join([f"step {self.step}/{self.total_steps}", *self.words()])


class Speed:
    """Steps and tokens per second over the last steps."""

    def __init__(self, start_step: int, now: float) -> None:
        start = (now, start_step, 0)
        self._points: deque[tuple[float, int, int]] = deque([start], maxlen=WINDOW + 1)

    def add(self, now: float, step: int, tokens: int) -> None:
        self._points.append((now, step, self._points[-1][2] + tokens))

    def tokens_per_s(self) -> float | None:
        seconds, _, tokens = self._passed()
        return tokens / seconds if seconds > 0 and tokens else None

    def seconds_per_step(self) -> float | None:
        seconds, steps, _ = self._passed()
        return seconds / steps if steps > 0 else None

    def _passed(self) -> tuple[float, int, int]:
        first, last = self._points[0], self._points[-1]
        return last[0] - first[0], last[1] - first[1], last[2] - first[2]


class Progress:
    """Shows how far a run is.

    Args:
        total_steps: where the run ends.
        start_step: where it begins, above 0 after resuming.
        show: False in library use, and in the processes beside the main one.
        what: a word in front of the bar.
        stream: where it is shown.
        now: the clock, in seconds.
    """

    def __init__(
        self,
        total_steps: int,
        *,
        start_step: int = 0,
        show: bool = True,
        what: str = "training",
        stream: TextIO | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total_steps = total_steps
        self._now = now
        self._speed = Speed(start_step, now())
        self._display = _display(total_steps, start_step, what, stream or sys.stderr, show, now)

    def update(
        self,
        step: int,
        *,
        loss: float | None = None,
        tokens: int = 0,
        **figures: float,
    ) -> None:
        """Show the state after optimizer step `step`.

        Args:
            loss: of this step, in nats per token.
            tokens: processed in this step, over all processes.
            figures: anything else worth a word, e.g. lr.
        """
        self._speed.add(self._now(), step, tokens)
        per_step = self._speed.seconds_per_step()
        left = None if per_step is None else per_step * (self.total_steps - step)
        speed = self._speed.tokens_per_s()
        self._display.show(Status(step, self.total_steps, loss, speed, left, figures))

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._display.note(text)

    def close(self) -> None:
        """Leave the last state standing. A second call does nothing."""
        self._display.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _display(
    total: int, start: int, what: str, stream: TextIO, show: bool, now: Callable[[], float]
) -> Any:
    if not show:
        return Silent()
    if stream.isatty():
        from luciola.runs.bar import Bar

        return Bar(total, start, what, stream)
    return Lines(stream, now)


class Silent:
    """Shows nothing."""

    def show(self, status: Status) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


class Lines:
    """Plain lines: the first step, the last, and between them every 5 %, or every 10 s at first."""

    def __init__(self, stream: TextIO, now: Callable[[], float]) -> None:
        self._stream = stream
        self._now = now
        self._began = now()
        self._last: tuple[float, Status] | None = None
        self._unwritten: Status | None = None

    def show(self, status: Status) -> None:
        self._unwritten = status
        if self._is_due(status):
            self._last = (self._now(), status)
            self._write()

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        self._write()

    def _is_due(self, status: Status) -> bool:
        if self._last is None or status.step >= status.total_steps:
            return True
        when, before = self._last
        # the longer a run, the rarer its lines: some 140 in a day
        patience = max(LINE_EVERY_S, (self._now() - self._began) / 20)
        share = (status.step - before.step) / status.total_steps
        return share >= LINE_EVERY_SHARE or self._now() - when >= patience

    def _write(self) -> None:
        if self._unwritten is not None:
            self.note(str(self._unwritten))
            self._unwritten = None


def clock(seconds: float) -> str:
    """Seconds as a person says them: `42 s`, `3:05 min`, `2:10 h`, `3 d 4 h`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d} h" if hours < 48 else f"{hours // 24} d {hours % 24} h"
