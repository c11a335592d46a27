"""Which modules belong to Python or an installed package: these are known by name and version."""

from __future__ import annotations

import sys
import sysconfig
from functools import cache
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Any

INSTALLED = ("site-packages", "dist-packages")


@cache
def _standard() -> tuple[Path, ...]:
    paths = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
    return tuple(Path(path).resolve() for path in paths if path)


def is_library_file(file: str | None) -> bool:
    """Whether a file belongs to Python or an installed package, and not to a person's own code."""
    if not file or file == "frozen" or file == "built-in":
        return True
    path = Path(file).resolve()
    if any(part in INSTALLED for part in path.parts):
        return True
    return any(path.is_relative_to(folder) for folder in _standard())


def is_library(module: ModuleType | None) -> bool:
    """Whether a module belongs to Python, to an installed package, or to Luciola."""
    if module is None or module.__name__ == "__main__":
        return False
    top = module.__name__.partition(".")[0]
    if top == "luciola" or top in sys.builtin_module_names:
        return True
    spec = getattr(module, "__spec__", None)
    if spec is None and not hasattr(module, "__file__"):
        return _is_compiled_in(module)
    file = getattr(module, "__file__", None)
    if file is None:
        file = next(iter(getattr(module, "__path__", ())), None)
    return is_library_file(file)


def _is_compiled_in(module: ModuleType) -> bool:
    """Whether a module without a file is part of a library's compiled one, as `torch._C._nn` is.

    Of any other, nothing is known: someone made it by hand.
    """
    above, _, name = module.__name__.rpartition(".")
    parent = sys.modules.get(above)
    file = str(getattr(parent, "__file__", None) or "")
    is_held = getattr(parent, name, None) is module
    return is_held and file.endswith(tuple(EXTENSION_SUFFIXES)) and is_library(parent)


@cache
def version(top: str) -> str:
    """The version of a package by its import name; Python's own for its modules."""
    if top in sys.stdlib_module_names:
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    found = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(found, str):
        return found
    try:
        return metadata.version(top)
    except metadata.PackageNotFoundError:
        return ""


def reference(thing: Any) -> tuple[str, str, str] | None:
    """Module, version and name of a function or class that a library keeps under its name.

    None for what is a person's own, or made inside a function.
    """
    name, place = getattr(thing, "__qualname__", None), getattr(thing, "__module__", None)
    if not isinstance(name, str) or not isinstance(place, str):
        return None
    module = sys.modules.get(place)
    if not is_library(module):
        return None
    found: Any = module
    for step in name.split("."):
        found = getattr(found, step, None)
    if found is not thing:
        return None
    return place, version(place.partition(".")[0]), name
