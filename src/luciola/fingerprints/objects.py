"""Classes by what they define, instances by what they hold.

An instance whose whole state Python can see is read attribute by attribute; of one that is written
in C, or that a library pickles in its own way, what `pickle` would keep is read.
"""

from __future__ import annotations

import _thread
import copyreg
import datetime
import decimal
import enum
import fractions
import pathlib
import re
import types
import uuid
import warnings
import weakref
from collections import OrderedDict, defaultdict, deque
from typing import Any

from luciola.fingerprints.libraries import reference
from luciola.fingerprints.walk import Walk

BY_TEXT = (
    pathlib.PurePath,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
)
CONTAINERS = (dict, list, tuple, set, frozenset, deque)
EMPTY = (_thread.LockType, _thread.RLock)
"""What holds nothing that a score could depend on."""
PROCESS = ("_original_object_hash",)
"""Attributes of libraries that hold Python's own hash, which is another in every process."""
GIVEN = {
    "__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__",
    "__dataclass_fields__", "__dataclass_params__", "__match_args__", "__slots__", "__slotnames__",
    "__abstractmethods__", "__firstlineno__", "__static_attributes__", "__annotate__",
    "__annotate_func__", "__annotations_cache__", "__orig_bases__", "__parameters__", "_abc_impl",
}  # fmt: skip
"""What Python writes into a class itself."""


def object_digest(walk: Walk, value: Any, path: str) -> bytes | None:
    """Of a class or an instance; None where its state cannot be read."""
    if isinstance(value, type):
        return _class(walk, value, path)
    if isinstance(value, EMPTY):
        return walk.hash("lock")
    if isinstance(value, BY_TEXT) and reference(type(value)):
        return walk.hash(type(value).__name__, repr(value).encode())
    if isinstance(value, re.Pattern):
        return walk.hash("pattern", *walk.each((value.pattern, value.flags), path))
    if isinstance(value, types.MappingProxyType):
        return walk.hash("proxy", *walk.pairs(value, path))
    if isinstance(value, enum.Enum):
        parts = walk.digest(type(value), path), walk.digest(value._value_, path)
        return walk.hash("member", value.name.encode(), *parts)
    if isinstance(value, weakref.ref | types.GeneratorType | types.CoroutineType):
        return None
    return _instance(walk, value, path)


def _class(walk: Walk, value: type, path: str) -> bytes:
    known = reference(value)
    if known is not None:
        return walk.hash("library", *(part.encode() for part in known))
    bases = walk.each(value.__bases__, path)
    if isinstance(value, enum.EnumMeta):
        members: Any = {name: vars(value)[name]._value_ for name in value._member_names_}
        return walk.hash("enum", *bases, walk.digest(members, path))
    own = {k: v for k, v in vars(value).items() if k not in GIVEN}
    made = type(value)
    kind = b"" if made is type else walk.digest(made, path)
    return walk.hash("class", value.__name__.encode(), kind, *bases, *walk.attributes(own, path))


def _instance(walk: Walk, value: Any, path: str) -> bytes | None:
    cls = type(value)
    if not _all_is_visible(value) or (reference(cls) and _pickles_itself(cls)):
        return _reduced(walk, value, path)
    held = {k: v for k, v in getattr(value, "__dict__", {}).items() if k not in PROCESS}
    for name in copyreg._slotnames(cls):  # type: ignore[attr-defined]
        if hasattr(value, name):
            held[name] = getattr(value, name)
    parts = [walk.digest(cls, path), *walk.attributes(held, path)]
    if isinstance(value, dict):
        if isinstance(value, defaultdict):
            parts.append(walk.digest(value.default_factory, path))
        parts += walk.pairs(value, path)
    elif isinstance(value, set | frozenset):
        parts += sorted(walk.each(value, path))
    elif isinstance(value, list | tuple | deque):
        parts += walk.each(value, path)
        parts.append(repr(getattr(value, "maxlen", None)).encode())
    return walk.hash("instance", *parts)


def _all_is_visible(value: Any) -> bool:
    """Whether attributes, slots and items are all there is: no state of a class written in C."""
    cls = type(value)
    if isinstance(value, tuple) or type(value) in (OrderedDict, defaultdict):
        return True
    base = next((kind for kind in CONTAINERS if isinstance(value, kind)), object)
    if isinstance(value, OrderedDict):
        base = OrderedDict
    elif isinstance(value, defaultdict):
        base = defaultdict
    word = tuple.__itemsize__
    room = bool(cls.__dictoffset__) + bool(cls.__weakrefoffset__)
    slots = len(copyreg._slotnames(cls))  # type: ignore[attr-defined]
    return cls.__basicsize__ <= base.__basicsize__ + word * (room + slots)


def _pickles_itself(cls: type) -> bool:
    """Whether a library says itself what of an instance is to be kept."""
    names = ("__reduce__", "__reduce_ex__", "__getstate__")
    return any(getattr(cls, name, None) is not getattr(object, name, None) for name in names)


def _reduced(walk: Walk, value: Any, path: str) -> bytes | None:
    """What pickle would keep of it; None where it refuses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that iterators will not be pickled in future
            registered = copyreg.dispatch_table.get(type(value))
            found = registered(value) if registered else value.__reduce_ex__(4)
    except Exception:  # whatever a class does to say that it cannot be kept
        return None
    if isinstance(found, str):
        return walk.hash("called", walk.digest(type(value), path), found.encode())
    make, given, *rest = found
    state, items, pairs = (*rest, None, None, None)[:3]
    parts = [make, given, state, list(items or ()), [list(pair) for pair in pairs or ()]]
    return walk.hash("reduced", walk.digest(type(value), path), *walk.each(parts, path))
