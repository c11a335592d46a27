"""What came of running queries, kept on disk by database and by the state that its file is in.

A file that was written to, replaced or moved has another state, and its queries run again. A server
has no state that could be seen from here: what ran there is never kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from luciola.errors import LuciolaError
from luciola.runs.atomic import write_atomically
from luciola.sql.database.allowed import Allowed

log = logging.getLogger(__name__)
VERSION = 1
"""Of the outcomes: another one passes over what is there."""
Outcome = tuple[str, str]
"""A kind, and what was said."""


class CheckedQueries:
    """The outcomes that a file holds.

    Args:
        file: where they are kept; None: nowhere.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._known: dict[str, dict[str, Outcome]] = {}
        self._states: dict[str, str | None] = {}
        self._changed = False
        if file is not None:
            self._known = _read(file)

    @classmethod
    def of(cls, place: str, allowed: Allowed | None = None) -> CheckedQueries:
        """Those about one database or one folder of them, in the user's cache.

        Args:
            allowed: what of it may be read; None: everything.
        """
        only = "" if allowed is None else f"\n{allowed}"
        name = hashlib.sha256(f"{_whole(place)}{only}".encode()).hexdigest()[:16]
        return cls(cache_folder() / "pairs" / f"{name}.json")

    def find(self, database: str, sql: str) -> Outcome | None:
        """What came of a query on the database as it is now; None where that is not known."""
        state = self._state(database)
        return None if state is None else self._known.get(state, {}).get(_key(sql))

    def keep(self, database: str, sql: str, outcome: Outcome) -> None:
        """Keep an outcome until the database changes."""
        state = self._state(database)
        if state is not None:
            self._known.setdefault(state, {})[_key(sql)] = outcome
            self._changed = True

    def save(self) -> None:
        """Write what is new; a cache that cannot be written is done without."""
        if self.file is None or not self._changed:
            return
        now = {_path(state): state for state in self._states.values() if state is not None}
        kept = {
            state: found
            for state, found in self._known.items()
            if now.get(_path(state), state) == state
        }
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.file, json.dumps({"version": VERSION, "outcomes": kept}))
        except (OSError, LuciolaError) as error:
            log.debug("checked pairs are not kept: %s", error)
        self._changed = False

    def _state(self, database: str) -> str | None:
        if database not in self._states:
            self._states[database] = state_of(database)
        return self._states[database]


def state_of(database: str) -> str | None:
    """The path of a file with its size and times, its log's too; None for a server."""
    if "://" in database:
        return None
    path = Path(database)
    try:
        found = [path.stat(), *(log.stat() for log in (Path(f"{path}-wal"),) if log.exists())]
    except OSError:
        return None
    figures = [f"{one.st_ino} {one.st_size} {one.st_mtime_ns}" for one in found]
    return "\n".join([_whole(database), *figures])


def cache_folder() -> Path:
    """Where this program keeps what it can make again: `$XDG_CACHE_HOME` or `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~").expanduser() / ".cache")
    return Path(base) / "luciola"


def _whole(place: str) -> str:
    return place if "://" in place else str(Path(place).expanduser().absolute())


def _path(state: str) -> str:
    return state.partition("\n")[0]


def _key(sql: str) -> str:
    return hashlib.sha256(sql.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _read(file: Path) -> dict[str, dict[str, Outcome]]:
    """What a file holds; nothing where it is not there, torn or of another version."""
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            return {}
        return {
            str(state): {str(key): (str(kind), str(said)) for key, (kind, said) in found.items()}
            for state, found in content["outcomes"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
