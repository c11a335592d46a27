"""Functions: bytecode, defaults, closure, and the globals that the code refers to."""

from __future__ import annotations

import builtins
import dis
import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from typing import Any

from luciola.fingerprints.libraries import is_library, is_library_file, reference, version
from luciola.fingerprints.walk import Walk

MISSING = b"missing"
READ_ANY = ("eval", "exec", "globals")
"""Builtins that can reach every global of a module."""
DESCRIPTORS = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


def function_digest(walk: Walk, value: Any, path: str) -> bytes | None:
    """Of whatever Python calls a function, a method or a module; None for anything else."""
    if isinstance(value, types.FunctionType):
        return _function(walk, value, path)
    if isinstance(value, types.MethodType):
        owner = walk.digest(value.__self__, f"{path}.__self__")
        return walk.hash("method", walk.digest(value.__func__, path), owner)
    if isinstance(value, functools.partial | functools.partialmethod):
        parts = walk.each((value.func, value.args, value.keywords), path)
        return walk.hash("partial", type(value).__name__.encode(), *parts)
    if isinstance(value, functools._lru_cache_wrapper):  # what it remembers does not count
        return walk.hash("cached", walk.digest(value.__wrapped__, path))
    if isinstance(value, staticmethod | classmethod):
        return walk.hash(type(value).__name__, walk.digest(value.__func__, path))
    if isinstance(value, property):
        return walk.hash("property", *walk.each((value.fget, value.fset, value.fdel), path))
    if isinstance(value, types.BuiltinFunctionType | types.MethodWrapperType):
        return _builtin(walk, value, path)
    if isinstance(value, DESCRIPTORS):
        owner = walk.digest(value.__objclass__, path)
        return walk.hash("descriptor", owner, value.__name__.encode())
    if isinstance(value, types.ModuleType):
        return _module(walk, value, path)
    if isinstance(value, types.CodeType):
        return _code(walk, value, {}, path)
    return None


def _function(walk: Walk, function: types.FunctionType, path: str) -> bytes:
    known = reference(function)
    if known is not None:
        return walk.hash("library", *(part.encode() for part in known))
    code = function.__code__
    if not code.co_filename.startswith("<") and not is_library_file(code.co_filename):
        walk.files.add(code.co_filename)
    cells = []
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            cells.append(walk.digest(cell.cell_contents, f"{path}.{name}"))
        except ValueError:  # not filled yet
            cells.append(MISSING)
    return walk.hash(
        "function",
        _code(walk, code, function.__globals__, path),
        walk.digest(function.__defaults__, path),
        walk.digest(function.__kwdefaults__, path),
        walk.hash("closure", *cells),
        walk.hash("attributes", *walk.attributes(vars(function), path)),
    )


def _code(walk: Walk, code: types.CodeType, scope: dict[str, Any], path: str) -> bytes:
    """Instructions with their operands, and the globals they refer to; no names of places."""
    shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    parts = [repr(shape).encode(), repr(code.co_varnames).encode(), code.co_exceptiontable]
    instructions = list(dis.get_instructions(code))
    for instruction in instructions:
        parts.append(instruction.opname.encode())
        if isinstance(instruction.argval, types.CodeType):
            parts.append(_code(walk, instruction.argval, scope, path))
        elif instruction.opcode in dis.hasconst:
            parts.append(walk.digest(instruction.argval, path))
        else:
            parts.append(repr(instruction.argval).encode())
    parts += [_global(walk, chain, scope, path) for chain in _referred(instructions)]
    for name, level, wanted in _imported(instructions):
        parts.append(_import(walk, name, level, wanted, scope, path))
    return walk.hash("code", *parts)


def _referred(instructions: list[dis.Instruction]) -> list[tuple[str, ...]]:
    """Globals that the code reads, each with the attributes that are taken of it at once."""
    chains = []
    for index, instruction in enumerate(instructions):
        if "_GLOBAL" not in instruction.opname and instruction.opname != "LOAD_NAME":
            continue
        chain = [str(instruction.argval)]
        for following in instructions[index + 1 :]:
            if following.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
                break
            chain.append(str(following.argval))
        chains.append(tuple(chain))
    return sorted(set(chains))


def _global(walk: Walk, chain: tuple[str, ...], scope: dict[str, Any], path: str) -> bytes:
    name, *attributes = chain
    if name not in scope:
        if not hasattr(builtins, name):
            return walk.hash("global", name.encode(), MISSING)
        if name == "__import__":
            return walk.unreadable(builtins, path, "a module that it imports by a computed name")
        if name in READ_ANY:
            return walk.hash("every", *walk.attributes(_own(scope), path))
        return walk.hash("builtin", name.encode())
    value, where = scope[name], f"{path}.{name}"
    while attributes and isinstance(value, types.ModuleType) and not is_library(value):
        attribute = attributes.pop(0)
        _note_file(walk, value)
        if not hasattr(value, attribute):
            return walk.hash("global", name.encode(), attribute.encode(), MISSING)
        value, where = getattr(value, attribute), f"{where}.{attribute}"
    return walk.hash("global", name.encode(), walk.digest(value, where))


def _imported(instructions: list[dis.Instruction]) -> Iterator[tuple[str, int, Any]]:
    """Modules that the code imports when it runs: name, level, names taken from it."""
    for index, instruction in enumerate(instructions):
        if instruction.opname == "IMPORT_NAME" and index >= 2:
            level, wanted = (instructions[index - 2].argval, instructions[index - 1].argval)
            yield str(instruction.argval), int(level or 0), wanted


def _import(
    walk: Walk, name: str, level: int, wanted: Any, scope: dict[str, Any], path: str
) -> bytes:
    """The module as it will be found; a person's own is imported now, as it would be then."""
    try:
        full = importlib.util.resolve_name("." * level + name, scope.get("__package__"))
        top = full.partition(".")[0]
        module = sys.modules.get(full)
        if module is None:
            spec = (
                sys.modules[top].__spec__ if top in sys.modules else importlib.util.find_spec(top)
            )
            if spec is None:
                return walk.hash("import", full.encode(), MISSING)
            if is_library_file(spec.origin):
                return walk.hash("import", full.encode(), version(top).encode())
            module = importlib.import_module(full)
    except Exception as error:  # a person's code, and whatever it does on import
        return walk.unreadable(error, path, f"the module {name}, which fails on import")
    if is_library(module):
        return walk.hash("import", full.encode(), version(top).encode())
    _note_file(walk, module)
    if not wanted or "*" in wanted:
        return walk.digest(module, f"{path}.{name}")
    found = {one: getattr(module, one, MISSING) for one in wanted}
    return walk.hash("import", full.encode(), *walk.attributes(found, f"{path}.{name}"))


def _builtin(walk: Walk, value: Any, path: str) -> bytes:
    """A function written in C: known by name where Python or a package brings it."""
    owner = value.__self__
    if owner is not None and not isinstance(owner, types.ModuleType):
        return walk.hash("bound", walk.digest(owner, path), value.__name__.encode())
    place = str(getattr(value, "__module__", None) or getattr(owner, "__name__", ""))
    if not is_library(sys.modules.get(place)):
        return walk.unreadable(value, path, f"{value.__name__}, a function written in C")
    known = (place, version(place.partition(".")[0]), value.__qualname__)
    return walk.hash("library", *(part.encode() for part in known))


def _module(walk: Walk, module: types.ModuleType, path: str) -> bytes:
    """A library's by name and version, a person's own by all that it holds."""
    name = module.__name__
    if is_library(module):
        return walk.hash("module", name.encode(), version(name.partition(".")[0]).encode())
    _note_file(walk, module)
    return walk.hash("module", *walk.attributes(_own(vars(module)), path))


def _own(scope: dict[str, Any]) -> dict[str, Any]:
    """A module's names without those that Python puts there."""
    return {name: value for name, value in scope.items() if not name.startswith("__")}


def _note_file(walk: Walk, module: types.ModuleType) -> None:
    if isinstance(file := getattr(module, "__file__", None), str):
        walk.files.add(file)
