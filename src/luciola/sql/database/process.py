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

from luciola.sql.database.channel import HEADER, decode, encode
from luciola.sql.database.dialects import Dialect
from luciola.sql.database.limits import Limits

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


class WorkerFaultError(RuntimeError):
    """A mistake of our own in the worker; the message is its traceback."""


class WorkerEndedError(Exception):
    """The worker was ended for good, from another thread: nobody waits for its answers."""


class WorkerDiedError(Exception):
    """The worker ended by itself; `status` is its exit status, negative for a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(f"exit status {status}")
        self.status = status


class WorkerProcess:
    """One worker, for one thread at a time; after an error it starts anew at the next request.

    It speaks one dialect; a request about a database of another one replaces it.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._selector = selectors.DefaultSelector()
        self._owner = 0
        self._dialect: Dialect | None = None
        self._given: tuple[str | None, ...] = ()
        self._opened: set[str] = set()
        self._ended = False

    def ask(self, dialect: Dialect, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """The worker's reply to a request that may take so many seconds.

        Raises: WorkerTimeoutError, WorkerDiedError, WorkerFaultError; WorkerStartError where none
            can be started; WorkerEndedError after `end`.
        """
        message = encode(request)
        try:
            return self._ask(dialect, request, message, timeout_s)
        except (WorkerDiedError, WorkerStartError):
            if self._ended:
                raise WorkerEndedError from None
            raise

    def _ask(
        self, dialect: Dialect, request: dict[str, Any], message: bytes, timeout_s: float
    ) -> dict[str, Any]:
        process = self._alive(dialect)
        try:
            if dialect.packages and request["database"] not in self._opened:
                opened = self._open(process, request)
                if "error" in opened:
                    return opened
            _write(process, message)
            reply = self._receive(process, timeout_s + GRACE_S)
        except BaseException:  # whatever was interrupted, its reply must not meet the next request
            self.stop()
            raise
        if "fault" in reply:
            raise WorkerFaultError(reply["fault"])
        return reply

    def _open(self, process: subprocess.Popen[bytes], request: dict[str, Any]) -> dict[str, Any]:
        """Connect to a server first: that takes time of its own, which is not the query's."""
        _write(process, encode({**request, "kind": "open"}))
        reply = self._receive(process, START_S)
        if "fault" in reply:
            raise WorkerFaultError(reply["fault"])
        if "error" not in reply:
            self._opened.add(request["database"])
        return reply

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

    def end(self) -> None:
        """Kill the worker from any thread, for good: who waits for it gets WorkerEndedError."""
        self._ended = True
        process = self._process
        if process is not None and self._owner == os.getpid():
            process.kill()  # the thread that waits sees the pipe's end, and clears up

    def _alive(self, dialect: Dialect) -> subprocess.Popen[bytes]:
        """The running worker, or a new one; a forked child never shares its parent's."""
        process = self._process
        ours = process is not None and self._owner == os.getpid() and self._dialect == dialect
        ours = ours and self._given == _given(dialect)  # a password may be set meanwhile
        if process is not None and ours and process.poll() is None:
            return process
        self.stop()
        self._opened.clear()
        if self._ended:
            raise WorkerEndedError
        self._process = process = self._start(dialect)
        try:
            if self._ended:  # while it was started: `end` may have seen no process yet
                raise WorkerEndedError
            self._receive(process, START_S)
        except (WorkerDiedError, WorkerTimeoutError) as error:
            self.stop()
            raise WorkerStartError(f"the SQL worker did not start: {error}") from None
        except BaseException:
            self.stop()
            raise
        return process

    def _start(self, dialect: Dialect) -> subprocess.Popen[bytes]:
        bare = [] if dialect.packages else ["-S", "-s"]
        command = [sys.executable, *bare, "-P", "-m", "luciola.sql.database.worker"]
        process = subprocess.Popen(
            [*command, dialect.name, json.dumps(asdict(self.limits)), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=_environment(dialect),
            start_new_session=True,  # Ctrl-C on the terminal is the parent's to handle
        )
        self._owner = os.getpid()
        self._dialect = dialect
        self._given = _given(dialect)
        self._selector = selectors.DefaultSelector()
        self._selector.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        return process

    def _receive(self, process: subprocess.Popen[bytes], timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        (size,) = HEADER.unpack(self._read(process, HEADER.size, deadline))
        return dict(decode(self._read(process, size, deadline)))

    def _read(self, process: subprocess.Popen[bytes], size: int, deadline: float) -> bytearray:
        body = bytearray(size)  # filled in place: a large reply is never there twice
        filled = 0
        with memoryview(body) as whole:
            while filled < size:
                if not self._selector.select(max(0.0, deadline - time.monotonic())):
                    raise WorkerTimeoutError
                some = whole[filled : filled + CHUNK_BYTES]
                read = os.readv(process.stdout.fileno(), [some])  # type: ignore[union-attr]
                if not read:
                    raise WorkerDiedError(process.wait())
                filled += read
        return body


def _write(process: subprocess.Popen[bytes], message: bytes) -> None:
    try:
        while message:
            written = process.stdin.write(message)  # type: ignore[union-attr]
            message = message[written or 0 :]
    except BrokenPipeError:
        raise WorkerDiedError(process.wait()) from None


def _given(dialect: Dialect) -> tuple[str | None, ...]:
    return tuple(map(os.environ.get, dialect.environment))


def _environment(dialect: Dialect) -> dict[str, str]:
    """As little as Python needs: secrets of the parent's environment are nothing for a worker."""
    package_root = str(Path(__file__).parents[3])
    seen = [package_root, *(sys.path if dialect.packages else ())]
    names = ("LD_LIBRARY_PATH", "TZ", *dialect.environment)
    return {
        **{name: os.environ[name] for name in names if name in os.environ},
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in seen if entry),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "1",  # glibc reserves 64 MiB of addresses for each further arena
    }
