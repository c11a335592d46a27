"""What a recipe's settings are: names, types, defaults, and the line under each as its help.

The help is read from the source with `ast`, so that `--help` does not need torch.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from luciola.config.place import Place
from luciola.config.ranges import range_of, type_hints

REQUIRED = MISSING
PLAIN_TYPES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}


@dataclass(frozen=True)
class Setting:
    """One setting of a recipe.

    Args:
        name: dotted, as written on the command line (`lora.r`).
        type_text: what is allowed, in words.
        choices: the allowed values where they are a short list.
        default: its value when nothing is given; REQUIRED where something must be.
        help: the line under the field.
        group: settings between two blank lines of the source share a group.
    """

    name: str
    type_text: str
    choices: tuple[str, ...]
    default: Any
    help: str
    group: int

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def choices_text(self) -> str:
        """` [a | b]` to put after the help; empty where everything of the type is allowed."""
        return f" [{' | '.join(self.choices)}]" if self.choices else ""


def describe(cls: type[Any]) -> list[Setting]:
    """Every setting of a recipe class in the order of the source.

    Parts such as `lora` unfold to `lora.r`.
    """
    return list(_describe(cls, "", None))


def _describe(cls: type[Any], prefix: str, group: int | None) -> Iterator[Setting]:
    helps = _helps(cls)
    for field in fields_in_order(cls):
        hint = type_hints(cls)[field.name]
        text, own_group = helps.get(field.name, ("", 0))
        where = own_group if group is None else group
        if is_part(hint):
            yield from _describe(hint, f"{prefix}{field.name}.", where)
        else:
            name = prefix + field.name
            yield Setting(name, type_text(hint), choices(hint), default_of(field), text, where)


def fields_in_order(cls: type[Any]) -> list[Field[Any]]:
    """A recipe class's fields as a person reads them: what must be given, then the class's own,
    then those of its bases.
    """
    known = {field.name: field for field in fields(cls)}
    required = [name for name, field in known.items() if default_of(field) is REQUIRED]
    order = [name for part in _parts_of(cls) for name in part.__annotations__ if name in known]
    return [known[name] for name in dict.fromkeys([*required, *order])]


def _parts_of(cls: type[Any]) -> list[type[Any]]:
    """The class and those it builds on, nearest first."""
    return [part for part in cls.__mro__ if is_dataclass(part)]


def default_of(field: Field[Any]) -> Any:
    """The default of a dataclass field; REQUIRED where there is none."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def missing(cls: type[Any], tree: Mapping[str, Any]) -> list[str]:
    """Names of the settings without a default that `tree` does not give."""
    return [f.name for f in fields(cls) if default_of(f) is REQUIRED and f.name not in tree]


def is_part(hint: Any) -> bool:
    """Whether a type is a nested group of settings, written `part.setting`."""
    return isinstance(hint, type) and is_dataclass(hint)


def bare(hint: Any) -> Any:
    """The type without its range."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def choices(hint: Any) -> tuple[str, ...]:
    """The allowed values of a Literal, also inside a list; empty for other types."""
    if get_origin(hint) is tuple:
        return choices(get_args(hint)[0])
    return get_args(hint) if get_origin(hint) is Literal else ()


def type_text(hint: Any) -> str:
    """What a type allows, in words for a person."""
    kind = bare(hint)
    if get_origin(kind) is UnionType:  # bool | None: what is left out is the None
        return type_text(get_args(kind)[0])
    if get_origin(kind) is Literal:
        *others, last = map(str, get_args(kind))
        return f"{', '.join(others)} or {last}"
    if get_origin(kind) is tuple:
        return _tuple_text(get_args(kind))
    if is_part(kind):
        parser = getattr(kind, "from_text", None)
        return (
            "a group of settings" if parser is None else parser.__doc__.splitlines()[0].rstrip(".")
        )
    allowed = range_of(hint)
    return PLAIN_TYPES[kind] + (f", {allowed}" if allowed else "")


def type_at(cls: type[Any], place: Place) -> Any:
    """The type that a recipe class has at a place."""
    hint: Any = cls
    for step in place:
        hint = get_args(bare(hint))[0] if isinstance(step, int) else type_hints(hint)[step]
    return hint


def _tuple_text(items: tuple[Any, ...]) -> str:
    if items[-1] is ...:
        return f"a list, each item {type_text(items[0])}"
    return f"{len(items)} values, each {type_text(items[0])}"


def _helps(cls: type[Any]) -> dict[str, tuple[str, int]]:
    """For each field, its bases' too: the string under it, and the number of its group."""
    helps: dict[str, tuple[str, int]] = {}
    for part in _parts_of(cls):
        first = 1 + max((group for _, group in helps.values()), default=-1)
        for name, (text, group) in _own_helps(part).items():
            helps.setdefault(name, (text, first + group))
    return helps


def _own_helps(cls: type[Any]) -> dict[str, tuple[str, int]]:
    """The same of the fields that stand in the class itself."""
    source = Path(str(sys.modules[cls.__module__].__file__)).read_text(encoding="utf-8")
    body = next(
        node.body
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    )
    helps: dict[str, tuple[str, int]] = {}
    group, last_line = -1, 0
    for node, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        group += node.lineno > last_line + 1
        text, last_line = _text(after), node.end_lineno or node.lineno
        if text and after is not None:
            last_line = after.end_lineno or after.lineno
        helps[node.target.id] = (text, group)
    return helps


def _text(node: ast.stmt | None) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return " ".join(value.value.split())
    return ""
