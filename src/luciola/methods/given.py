"""How Python objects stand in a recipe, where a file or a name would: `<64 rows 3f9a81c2>`.

A run is found again by its recipe, so what is given in Python stands there by its content: other
prompts of the same number, or a function that was changed, are another run.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def named_rows(value: Any) -> Any:
    """Rows or texts by their number and content; what names them stays as it is."""
    if isinstance(value, str | Path):
        return value
    rows = list(value)
    return f"<{len(rows)} rows {_digest(repr(rows))}>" if rows else ""


def named_objects(value: Any) -> Any:
    """Functions and objects that score, one or several; what names them stays as it is."""
    if isinstance(value, list | tuple):
        return [_named(one) for one in value]
    return _named(value)


def _named(value: Any) -> Any:
    if not (callable(value) or hasattr(value, "score")):
        return value
    name = getattr(value, "__name__", type(value).__name__)
    source = _source(value)
    return f"<{name} {_digest(source)}>" if source else f"<{name}>"


def _source(value: Any) -> str:
    """The text of a function, or of the class of an object; empty where Python does not know it."""
    written = value if inspect.isroutine(value) or inspect.isclass(value) else type(value)
    try:
        return inspect.getsource(written)
    except (OSError, TypeError):
        return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:8]


def are_rows(value: Any) -> bool:
    """Whether rows were given themselves, and not what names data: paths, or paths with weights."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return False
    return bool(value) and isinstance(value[0], Mapping) and "path" not in value[0]
