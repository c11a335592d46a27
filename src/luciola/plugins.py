"""A person's own Python objects, named as text: `my_rewards.py:polite`, `package.module:name`.

Loading runs the file's code, as importing does. Torch-free; what the object is used for is not
known here.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any, TypeVar

from luciola.errors import ConfigError

T = TypeVar("T")
FORMS = "Write FILE.py:NAME or PACKAGE.MODULE:NAME, such as my_rewards.py:polite."


NAMED = re.compile(r"(?:.+\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):[A-Za-z_][\w.]*")


def names_object(text: str) -> bool:
    """Whether a text names a Python object in this form; `hub:NAME` is a data set's name."""
    return NAMED.fullmatch(text) is not None and not text.startswith("hub:")


def load_object(spec: str, *, relative_to: Path | None = None) -> Any:
    """The object that `spec` names; `Class.method` reaches into a class.

    The folder of the file, or for a module `relative_to` and the working directory, are added at
    the end of the search path, so that the code can import its neighbours. A file is run once for
    each of its states on the disk.

    Args:
        spec: `FILE.py:NAME` or `PACKAGE.MODULE:NAME`.
        relative_to: where a relative file is looked for first, then in the working directory.

    Raises: ConfigError for a missing file, module or name, and for code that fails on import.
    """
    place, colon, name = spec.strip().rpartition(":")
    if not colon or not place or not name:
        raise ConfigError(f"{spec!r} does not name a Python object", remedy=FORMS)
    if place.endswith(".py") or "/" in place:
        module = _load_file(_find(place, relative_to))
    else:
        module = _load_module(place, relative_to)
    return _attribute(module, name, place)


def line_in(error: BaseException, file: str | Path) -> str | None:
    """`FILE:LINE` where an error passed through a file last; None where it never did."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"{file}:{error.lineno}"
    frames = walk_tb(error.__traceback__)
    lines = [line for frame, line in frames if frame.f_code.co_filename == str(file)]
    return f"{file}:{lines[-1]}" if lines else None


def _find(place: str, relative_to: Path | None) -> Path:
    file = Path(place).expanduser()
    folders = [Path()] if relative_to is None else [relative_to, Path()]
    found = next((folder / file for folder in folders if (folder / file).is_file()), None)
    if found is not None:
        return found.resolve()
    near = [
        str(file.parent / match)
        for folder in folders
        for match in get_close_matches(
            file.name, [entry.name for entry in (folder / file).parent.glob("*.py")], n=1
        )
    ]
    looked = " and ".join(dict.fromkeys(str(folder.resolve()) for folder in folders))
    raise ConfigError(
        f"there is no file {place}" + ("" if file.is_absolute() else f" in {looked}"),
        remedy=f"Did you mean {near[0]}?" if near else FORMS,
    )


def _load_file(file: Path) -> ModuleType:
    state = file.stat()
    address = f"{file}:{state.st_mtime_ns}:{state.st_size}".encode()
    name = f"luciola_plugin_{hashlib.blake2b(address, digest_size=6).hexdigest()}_{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    _search_also(file.parent)
    found = importlib.util.spec_from_file_location(name, file)
    if found is None or found.loader is None:
        raise ConfigError(f"{file} is not a Python file", remedy=FORMS)
    module, execute = importlib.util.module_from_spec(found), found.loader.exec_module
    sys.modules[name] = module  # dataclasses and pickle look a class up by its module
    try:
        _explaining(lambda: execute(module), str(file), file)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _load_module(place: str, relative_to: Path | None) -> ModuleType:
    for folder in (relative_to, Path()):
        if folder is not None:
            _search_also(folder.resolve())
    importlib.invalidate_caches()  # a file may have been written since the last import
    try:
        return _explaining(lambda: importlib.import_module(place), f"module {place}", None)
    except ConfigError as error:
        missing = error.__cause__
        is_this = isinstance(missing, ModuleNotFoundError) and missing.name is not None
        if not is_this or not f"{place}.".startswith(f"{missing.name}."):  # type: ignore[union-attr]
            raise
    raise ConfigError(
        f"there is no Python module {place} here or among the installed packages", remedy=FORMS
    )


def _search_also(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # at the end: a neighbour never hides an installed package


def _explaining(run: Callable[[], T], what: str, file: Path | None) -> T:
    """What `run` returns; whatever it raises becomes a ConfigError with the error as its cause."""
    try:
        return run()
    except (Exception, SystemExit) as error:  # code of anybody may raise anything
        raised = f"{type(error).__name__}: {error}".splitlines()[0].rstrip(": ")
        where = line_in(error, file) if file else _last_line(error)
        raise ConfigError(
            f"{where or what} fails on import ({raised})",
            remedy=f"Try it alone: python {file}" if file else "Import it in Python to see why.",
        ) from error


def _last_line(error: BaseException) -> str | None:
    """`FILE:LINE` of the innermost frame outside Python's own import machinery."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    own = [place for place in places if "importlib" not in place[0] and place[0] != __file__]
    return f"{own[-1][0]}:{own[-1][1]}" if own else None


def _attribute(module: ModuleType, name: str, place: str) -> Any:
    found: Any = module
    for step in name.split("."):
        if not hasattr(found, step):
            names = [known for known in vars(found) if not known.startswith("_")]
            near = get_close_matches(step, names, n=1)
            listed = ", ".join(sorted(names)[:8]) or "nothing"
            raise ConfigError(
                f"{place} has no {name!r}",
                remedy=f"Did you mean {near[0]}?" if near else f"It holds {listed}.",
            )
        found = getattr(found, step)
    return found
