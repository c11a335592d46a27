"""Threads that keep order, stop after an error, and never keep Python from ending."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from luciola.rewards.background import map_parallel, start


def test_results_keep_their_order_and_only_so_many_run_at_a_time() -> None:
    lock = threading.Lock()
    now = most = 0

    def work(number: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002 * (5 - number % 5))
        with lock:
            now -= 1
        return number * number

    assert map_parallel(work, range(12), parallel=3) == [n * n for n in range(12)]
    assert most == 3
    assert map_parallel(work, [], parallel=3) == []


def test_after_an_error_nothing_more_is_begun() -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise ValueError("one")

    with pytest.raises(ValueError, match="one"):
        map_parallel(work, range(10), parallel=1)
    assert begun == [0, 1]


def test_what_a_thread_raises_comes_out_at_its_result() -> None:
    def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(work).result(5)


def test_a_call_that_never_ends_does_not_keep_python_from_ending() -> None:
    code = (
        "import threading; from luciola.rewards.background import start;"
        "start(threading.Event().wait); print('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=20, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n")
