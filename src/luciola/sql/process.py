"""The parent's side of one worker process: started when needed, killed when it takes too long."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from luciola.sql.channel import HEADER, decode, encode
from luciola.sql.limits import Limits

GRACE_S = 0.5
"""How much later than its own clock a worker is killed: what SQLite cannot interrupt ends so."""
START_S = 60.0
"""How long a worker may take to start; it needs 60 ms, more on a machine that is busy training."""
CHUNK_BYTES = 1 << 20


class WorkerTimeoutError(Exception):
    """The worker did not answer in time, and was killed."""

    def __init__(self) -> None:
        super().__init__("no answer in time")


class WorkerStartError(RuntimeError):
    """No worker could be started."""


class WorkerDiedError(Exception):
    """The worker ended by itself; `status` is its exit status, negative for a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


class WorkerProcess:
    """One worker, for one thread at a time; after an error it starts anew at the next request."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._selector = selectors.DefaultSelector()
        self._owner = 0

    def ask(self, request: list[Any]) -> list[Any]:
        """The worker's reply.

        Raises: WorkerTimeoutError, WorkerDiedError; WorkerStartError where none can be started.
        """
        message = encode(request)
        process = self._alive()
        try:
            _write(process, message)
            return self._receive(process, self.limits.timeout_s + GRACE_S)
        except BaseException:  # whatever was interrupted, its reply must not meet the next request
            self.stop()
            raise

    def stop(self) -> None:
        """Kill the worker, if there is one."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        self._selector.close()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _alive(self) -> subprocess.Popen[bytes]:
        """The running worker, or a new one; a forked child never shares its parent's."""
        process = self._process
        if process is not None and self._owner == os.getpid() and process.poll() is None:
            return process
        self.stop()
        self._process = process = self._start()
        try:
            self._receive(process, START_S)
        except (WorkerDiedError, WorkerTimeoutError) as error:
            self.stop()
            raise WorkerStartError(f"the SQL worker did not start: {error}") from None
        except BaseException:
            self.stop()
            raise
        return process

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-S", "-s", "-P", "-m", "luciola.sql.worker"]
        process = subprocess.Popen(
            [*command, json.dumps(asdict(self.limits)), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=_environment(),
        )
        self._owner = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        return process

    def _receive(self, process: subprocess.Popen[bytes], timeout_s: float) -> list[Any]:
        deadline = time.monotonic() + timeout_s
        (size,) = HEADER.unpack(self._read(process, HEADER.size, deadline))
        return list(decode(self._read(process, size, deadline)))

    def _read(self, process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise WorkerTimeoutError
            part = os.read(process.stdout.fileno(), min(size, CHUNK_BYTES))  # type: ignore[union-attr]
            if not part:
                raise WorkerDiedError(process.wait())
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _write(process: subprocess.Popen[bytes], message: bytes) -> None:
    try:
        while message:
            written = process.stdin.write(message)  # type: ignore[union-attr]
            message = message[written or 0 :]
    except BrokenPipeError:
        raise WorkerDiedError(process.wait()) from None


def _environment() -> dict[str, str]:
    """As little as Python needs: secrets of the parent's environment are nothing for a worker."""
    package_root = Path(__file__).parents[2]
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TZ") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(package_root),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "1",  # glibc reserves 64 MiB of addresses for each further arena
    }
