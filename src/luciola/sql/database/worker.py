"""A sandbox's worker process: answers one request at a time, within limits.

Started as `python -m luciola.sql.database.worker DIALECT LIMITS PARENT`. For SQLite it imports the
standard library only, so that it is ready in about 50 ms. Everything that the process will never
need is taken away before the first request: writing files, starting processes, memory beyond the
limit.

What is not covered: a fault in SQLite itself that lets a query run machine code could still read
the files that this user can read. A container is the answer where that matters.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from luciola.sql.database.allowed import Allowed
from luciola.sql.database.channel import encode, receive
from luciola.sql.database.dialects import DIALECTS, Dialect
from luciola.sql.database.limits import MIB, Limits
from luciola.sql.database.session import RefusedError, Rows, Session

OUT_OF_MEMORY = 71
"""Exit status where not even an answer could be made."""
OPEN_SESSIONS = 16
Open = Callable[[str, Limits], Session]


class Sessions:
    """The sessions that were used last; a database that was replaced is opened anew."""

    def __init__(self, open_session: Open, limits: Limits) -> None:
        self.open_session = open_session
        self.limits = limits
        self.open: OrderedDict[str, Session] = OrderedDict()

    def get(self, database: str) -> Session:
        session = self.open.pop(database, None)
        if session is not None and not session.is_current:
            session.close()
            session = None
        self.open[database] = session = session or self.open_session(database, self.limits)
        if len(self.open) > OPEN_SESSIONS:
            self.open.popitem(last=False)[1].close()
        return session


def run(session: Session, limits: Limits, request: Mapping[str, Any]) -> object:
    return _rows(
        session.run(
            request["sql"],
            limits,
            truncate=request["truncate"],
            allowed=Allowed.from_json(request["allowed"]),
            options=request["options"],
        )
    )


def schema(session: Session, limits: Limits, request: Mapping[str, Any]) -> object:
    allowed = Allowed.from_json(request["allowed"])
    return asdict(session.schema(limits, allowed=allowed, count=request["count"]))


def values(session: Session, limits: Limits, request: Mapping[str, Any]) -> object:
    return session.values(
        request["table"],
        request["column"],
        limits,
        rows=request["rows"],
        most=request["most"],
        longest=request["longest"],
    )


def trusted(session: Session, limits: Limits, request: Mapping[str, Any]) -> object:
    return _rows(session.trusted(request["sql"], request["parameters"], limits))


def broken(session: Any, limits: Limits, request: Mapping[str, Any]) -> object:
    return session.broken(request["table"], limits, rows=request["rows"])


def opened(session: Session, limits: Limits, request: Mapping[str, Any]) -> object:
    return None


KINDS: Mapping[str, Callable[[Session, Limits, Mapping[str, Any]], object]] = {
    "run": run,
    "schema": schema,
    "values": values,
    "trusted": trusted,
    "broken": broken,
    "open": opened,
}


def answer(sessions: Sessions, request: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to one request; a mistake of our own becomes its traceback."""
    started = time.perf_counter()
    try:
        limits = Limits(**request["limits"])
        session = sessions.get(request["database"])
        reply = {"ok": KINDS[request["kind"]](session, limits, request)}
    except RefusedError as error:
        reply = {"error": error.kind, "detail": error.detail}
    except MemoryError:
        reply = {"error": "memory", "detail": ""}
    except OSError as error:
        reply = {"error": "database", "detail": error.strerror or str(error)}
    except Exception:
        reply = {"fault": traceback.format_exc()}
    reply["seconds"] = time.perf_counter() - started
    return reply


def serve(dialect: Dialect, limits: Limits) -> None:
    """Answer requests until the parent closes the pipe."""
    module = importlib.import_module(dialect.module)
    sessions = Sessions(module.open_session, limits)
    restrict(dialect, limits)
    _send({"ok": "ready"})
    while (request := receive(sys.stdin.buffer)) is not None:
        _send(answer(sessions, request))


def restrict(dialect: Dialect, limits: Limits) -> None:
    """Give up, for good, what a query never needs, as far as the system has such limits."""
    import resource

    bounds = {
        resource.RLIMIT_AS: _own_memory_bytes() + limits.max_memory_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    if not dialect.threads:
        bounds[resource.RLIMIT_NPROC] = 0
    for limit, value in bounds.items():
        hard = resource.getrlimit(limit)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS refuses a limit on addresses
            resource.setrlimit(limit, (bound, bound))


def die_with(parent: int) -> None:
    """End this process, whatever it does, soon after its parent has ended."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main() -> None:
    """Read dialect, limits and the parent's id from the command line, then serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    dialect, limits = DIALECTS[sys.argv[1]], Limits(**json.loads(sys.argv[2]))
    threading.Thread(target=die_with, args=(int(sys.argv[3]),), daemon=True).start()
    try:
        serve(dialect, limits)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _rows(found: Rows) -> dict[str, object]:
    return found._asdict()


def _send(reply: dict[str, Any]) -> None:
    try:
        message = encode(reply)
    except MemoryError:
        message = encode({"error": "memory", "detail": "", "seconds": reply["seconds"]})
    sys.stdout.buffer.write(message)
    sys.stdout.buffer.flush()


def _own_memory_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 256 * MIB
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
