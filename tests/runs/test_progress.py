"""What a run shows: from the first step on, on a terminal and in a log."""

from __future__ import annotations

import io

from luciola.runs.progress import Progress, clock


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(steps: int, seconds_per_step: float) -> list[str]:
    now, stream = Clock(), io.StringIO()
    with Progress(steps, stream=stream, now=now) as progress:
        for step in range(1, steps + 1):
            now.s += seconds_per_step
            progress.update(step, loss=1.0, tokens=100)
    return stream.getvalue().splitlines()


def test_the_first_step_shows_loss_speed_and_time_left() -> None:
    """100 tokens in 2 s; 9 steps of 2 s are left."""
    assert shown(10, 2.0)[0] == "step 1/10 · loss 1.0000 · 50 tokens/s · 18 s left"


def test_a_short_run_shows_every_twentieth_part_and_the_last_step() -> None:
    lines = shown(200, 0.01)
    assert len(lines) == 21
    assert lines[-1].startswith("step 200/200 ")


def test_a_slow_run_shows_a_line_every_ten_seconds_at_first() -> None:
    lines = shown(10_000, 1.0)[:3]
    assert [line.split(" ")[1] for line in lines] == ["1/10000", "11/10000", "21/10000"]


def test_a_long_run_does_not_fill_its_log() -> None:
    assert len(shown(100_000, 1.0)) < 150


def test_the_last_state_is_shown_where_a_run_ends_early() -> None:
    now, stream = Clock(), io.StringIO()
    with Progress(1000, stream=stream, now=now) as progress:
        for step in (1, 2, 3):
            progress.update(step, loss=0.5)
    assert stream.getvalue().splitlines()[-1].startswith("step 3/1000 · loss 0.5000")


def test_time_left_after_resuming_counts_the_steps_of_this_process_only() -> None:
    now, stream = Clock(), io.StringIO()
    progress = Progress(100, start_step=90, stream=stream, now=now)
    now.s = 3.0
    progress.update(91, loss=1.0)
    assert "27 s left" in stream.getvalue()


def test_a_terminal_gets_a_bar_and_notes_above_it() -> None:
    stream, now = Terminal(), Clock()
    with Progress(10, stream=stream, now=now) as progress:
        now.s = 2.0
        progress.update(5, loss=0.25, tokens=2468, lr=0.001)
        progress.note("saved [best] so far")
    text = stream.getvalue()
    assert "saved [best] so far" in text
    assert "5/10" in text
    assert "loss 0.2500 · 1,234 tokens/s" in text


def test_nothing_is_shown_unless_asked() -> None:
    stream = Terminal()
    with Progress(10, show=False, stream=stream) as progress:
        progress.update(1, loss=0.25)
        progress.note("note")
    assert stream.getvalue() == ""


def test_seconds_are_said_as_a_person_says_them() -> None:
    said = [clock(s) for s in (-1, 0.4, 59.6, 185, 7800, 273_600)]
    assert said == ["0 s", "0 s", "1:00 min", "3:05 min", "2:10 h", "3 d 4 h"]
