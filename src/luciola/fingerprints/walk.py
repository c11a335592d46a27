"""The walk through an object that gives its fingerprint.

What is read: plain data, containers, arrays and tensors by their bytes, functions by their
bytecode with all they refer to (`functions.py`), classes and instances (`objects.py`). Names,
addresses, line numbers, comments, docstrings and the order of sets never count. What a function
looks up outside Python when it is called (files, servers, the clock, the environment) is not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ATOMS = (type(None), bool, int, float, complex, str, bytes, bytearray, type(...), range, slice)
DIGITS = 12


@dataclass(frozen=True)
class Fingerprint:
    """What an object is.

    Args:
        digest: hexadecimal digits of everything that could be read.
        unknown: what could not: `polite.db, a sqlite3.Connection`. Empty: two objects with the same
            digest are the same.
        files: a person's own source files that functions and classes in it come from.
    """

    digest: str
    unknown: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def fingerprint(value: Any, name: str = "it") -> Fingerprint:
    """The fingerprint of any object.

    Args:
        name: of the object, with which `unknown` begins.
    """
    walk = Walk()
    try:
        digest = walk.digest(value, name)
    except RecursionError:
        digest = b""
        walk.unknown.append(f"{name}, which is nested too deeply")
    unknown = tuple(dict.fromkeys(walk.unknown))
    return Fingerprint(digest.hex()[:DIGITS], unknown, tuple(sorted(walk.files)))


class Walk:
    """One walk; objects that were met before are not read again."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self.files: set[str] = set()
        self._done: dict[int, bytes] = {}
        self._open: dict[int, int] = {}
        self._kept: list[Any] = []  # an id is an object's own for as long as that lives

    def digest(self, value: Any, path: str) -> bytes:
        """The hash of a value's content; `path` says where it was met."""
        if type(value) in ATOMS:
            return self.hash(type(value).__name__, _atom(value))
        key = id(value)
        if key in self._done:
            return self._done[key]
        if key in self._open:  # a cycle: how far up it leads
            return self.hash("above", str(len(self._open) - self._open[key]).encode())
        self._open[key] = len(self._open)
        self._kept.append(value)
        try:
            found = self._read(value, path)
        finally:
            del self._open[key]
        self._done[key] = found
        return found

    def _read(self, value: Any, path: str) -> bytes:
        from luciola.fingerprints.arrays import array_digest
        from luciola.fingerprints.functions import function_digest
        from luciola.fingerprints.objects import object_digest

        kind = type(value)
        if kind in (list, tuple):
            return self.hash(kind.__name__, *self.each(value, path))
        if kind is dict:
            return self.hash("dict", *self.pairs(value, path))
        if kind in (set, frozenset):
            return self.hash(kind.__name__, *sorted(self.each(value, path)))
        for reader in (array_digest, function_digest, object_digest):
            found = reader(self, value, path)
            if found is not None:
                return found
        return self.unreadable(value, path)

    def each(self, values: Iterable[Any], path: str) -> list[bytes]:
        """The hash of each value, in order."""
        return [self.digest(value, path) for value in values]

    def pairs(self, mapping: Any, path: str) -> list[bytes]:
        """Keys and values in their order, which functions may depend on."""
        found = []
        for key, value in mapping.items():
            shown = f"{path}[{key!r:.30}]" if type(key) in (str, int) else path
            found += [self.digest(key, path), self.digest(value, shown)]
        return found

    def attributes(self, named: dict[str, Any], path: str) -> list[bytes]:
        """Names and values, by name."""
        found = []
        for name in sorted(named):
            found += [name.encode(), self.digest(named[name], f"{path}.{name}")]
        return found

    def hash(self, kind: str, *parts: bytes) -> bytes:
        """One hash of several parts."""
        digest = hashlib.blake2b(kind.encode(), digest_size=16)
        for part in parts:
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.digest()

    def unreadable(self, value: Any, path: str, what: str = "") -> bytes:
        """Note that a value cannot be compared; its type is all that counts."""
        kind = type(value)
        self.unknown.append(f"{path}, {what or f'a {kind.__module__}.{kind.__qualname__}'}")
        return self.hash("unknown", f"{kind.__module__}.{kind.__qualname__}".encode())


def _atom(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    return repr(value).encode()
