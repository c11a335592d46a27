"""Threads that work on a list, results as they come, and an end that loses nothing.

Daemon threads rather than an executor, whose threads Python waits for at its end: after Ctrl-C a
server that does not answer would hold the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

from luciola.sql.asking.pace import Stopped

T = TypeVar("T")
S = TypeVar("S")

GRACE_S = 3.0
"""Seconds that requests under way have to come back after Ctrl-C, so that they can be kept."""


def results(
    call: Callable[[S], T], items: Sequence[S], *, parallel: int, stop: threading.Event
) -> Iterator[tuple[int, T]]:
    """(index, result) of each item as it is finished, at most `parallel` at a time.

    Whatever ends the loop over these, `stop` is set, nothing new is begun, and what is under way
    may finish for `GRACE_S` seconds. An error of a call is raised here.
    """
    waiting: SimpleQueue[tuple[int, S]] = SimpleQueue()
    for place in enumerate(items):
        waiting.put(place)
    done: SimpleQueue[tuple[int, T | None, BaseException | None]] = SimpleQueue()
    workers = [
        threading.Thread(target=_work, args=(call, waiting, done, stop), daemon=True)
        for _ in range(min(parallel, len(items)))
    ]
    try:
        for worker in workers:
            worker.start()
        for _ in items:
            index, result, error = done.get()
            if error is not None:
                raise error
            yield index, result  # type: ignore[misc]  # a T wherever there is no error
    finally:
        stop.set()
        _join([worker for worker in workers if worker.ident is not None])


def _work(
    call: Callable[[S], T],
    waiting: SimpleQueue[tuple[int, S]],
    done: SimpleQueue[tuple[int, T | None, BaseException | None]],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            index, item = waiting.get_nowait()
        except Empty:
            return
        try:
            done.put((index, call(item), None))
        except Stopped:
            return
        except BaseException as error:  # raised again by whoever reads the results
            stop.set()
            done.put((index, None, error))


def _join(workers: Sequence[threading.Thread]) -> None:
    end = time.monotonic() + GRACE_S
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()))
