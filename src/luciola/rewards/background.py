"""Waiting without blocking: threads that never keep Python from ending, and one event loop.

Daemon threads rather than an executor, whose threads Python waits for at its end: after Ctrl-C a
server that does not answer would hold the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
S = TypeVar("S")


def start(call: Callable[[], T]) -> Future[T]:
    """Run `call` in a thread of its own; the future has its result or its error."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # whoever waits for the result raises it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name="luciola-reward").start()
    return future


def map_parallel(call: Callable[[S], T], items: Sequence[S], *, parallel: int) -> list[T]:
    """`call` of each item, at most `parallel` at a time; results in order, the first error raised.

    After an error no further item is begun.
    """
    waiting: SimpleQueue[tuple[int, S]] = SimpleQueue()
    for place in enumerate(items):
        waiting.put(place)
    results: dict[int, T] = {}
    errors: dict[int, BaseException] = {}

    def work() -> None:
        while not errors:
            try:
                index, item = waiting.get_nowait()
            except Empty:
                return
            try:
                results[index] = call(item)
            except BaseException as error:  # raised below, in the thread that asked
                errors[index] = error

    for future in [start(work) for _ in range(min(parallel, len(items)))]:
        future.result()
    if errors:
        raise errors[min(errors)]
    return [results[index] for index in range(len(items))]


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """The one loop that asynchronous rewards run on, for as long as the process lives.

    A loop per call would close under clients that a reward keeps between calls.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="luciola-async").start()
    return loop


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine on the event loop; Ctrl-C while waiting cancels it."""
    future = asyncio.run_coroutine_threadsafe(coroutine, event_loop())
    try:
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        raise
