"""Read a recipe: defaults, below a YAML file, below `key=value` from the command line.

Every mistake is one sentence that names the file (or the command line), the setting, and what
is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from luciola.config.check import WrongTypesError, build
from luciola.config.overrides import COMMAND_LINE, parse_overrides
from luciola.config.place import Place, spelled, value_at
from luciola.config.ranges import SettingError
from luciola.config.settings import describe, missing, type_at, type_text
from luciola.config.shape import Shaper, Tree, merge
from luciola.errors import ConfigError

C = TypeVar("C")


@dataclass(frozen=True)
class Source:
    """Where some settings were given: a file or the command line."""

    name: str
    tree: Tree


def load(cls: type[C], path: Path | None, overrides: Sequence[str] = ()) -> C:
    """The recipe of type `cls` from a YAML file, if any, and `a.b=value` overrides.

    Raises: ConfigError; a recipe that loads is complete and every value is allowed.
    """
    sources = []
    if path is not None:
        sources.append(Source(str(path), Shaper(cls, str(path)).shaped(read_recipe(path))))
    given = parse_overrides(cls, overrides)
    sources.append(Source(COMMAND_LINE, Shaper(cls, COMMAND_LINE).shaped(given)))
    return _resolve(cls, sources)


def from_mapping(
    cls: type[C],
    values: Mapping[str, Any],
    name: str = "settings",
    overrides: Sequence[str] = (),
) -> C:
    """The recipe of type `cls` from values in Python, with the same shorthands as a file.

    Args:
        name: what an error calls the place where the values were given.
        overrides: `a.b=value` from the command line, which count for more.

    Raises: ConfigError.
    """
    given = Shaper(cls, COMMAND_LINE).shaped(parse_overrides(cls, overrides))
    sources = [Source(name, Shaper(cls, name).shaped(values)), Source(COMMAND_LINE, given)]
    return _resolve(cls, sources)


def read_recipe(path: Path) -> dict[Any, Any]:
    """The mapping in a YAML file. Raises: ConfigError where there is none."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        near = nearby_recipe(path)
        hint = f"Did you mean {near}?" if near else None
        raise ConfigError(f"{path}: there is no such recipe", remedy=hint) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not a text file in UTF-8, so no recipe") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {_yaml_problem(error)}") from None
    if isinstance(content, dict):
        return content
    kind = "is empty" if content is None else f"holds {_noun(content)}"
    raise ConfigError(f"{path}: {kind}; a recipe is lines of `key: value`")


def nearby_recipe(path: Path) -> str | None:
    """A recipe beside `path` with almost its name."""
    names = [entry.name for entry in path.parent.glob("*.y*ml")]
    match = get_close_matches(path.name, names, n=1)
    return str(path.parent / match[0]) if match else None


def _noun(content: Any) -> str:
    return "a list" if isinstance(content, list) else f"only the value {content!r:.60}"


def _yaml_problem(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}{getattr(error, 'problem', None) or error}"


def _resolve(cls: type[C], sources: Sequence[Source]) -> C:
    tree: Tree = {}
    for source in sources:
        tree = merge(tree, source.tree)
    _require(cls, tree, sources[0].name)
    try:
        return build(cls, tree)
    except WrongTypesError as error:
        raise _wrong_type(cls, error.places[0], sources) from None
    except SettingError as error:
        where, _ = _origin(sources, error.place)
        raise ConfigError(f"{where}: {error.message}", remedy=error.remedy) from None


def _require(cls: type[Any], tree: Tree, where: str) -> None:
    names = missing(cls, tree)
    if names:
        need = " and ".join(names) + (" are" if len(names) > 1 else " is")
        helps = {setting.name: setting.help for setting in describe(cls)}
        remedy = "; ".join(f"{name}=… ({helps[name].rstrip('.')})" for name in names)
        raise ConfigError(f"{where}: {need} missing", remedy=f"Give {remedy}.")


def _wrong_type(cls: type[Any], place: Place, sources: Sequence[Source]) -> ConfigError:
    where, seen = _origin(sources, place)
    if isinstance(place[-1], int) and seen is None:  # an item too few: the list is wrong
        place = place[:-1]
        where, seen = _origin(sources, place)
    got = "nothing" if seen is None else _shown(seen)
    message = f"{where}: {spelled(place)} must be {type_text(type_at(cls, place))}, got {got}"
    helps = {setting.name: setting.help for setting in describe(cls)}
    return ConfigError(message, remedy=helps.get(spelled(place)))


def _shown(seen: Any) -> str:
    """A value as one short line; of an object that no recipe can hold, what it is."""
    if isinstance(seen, str | int | float | list | tuple | dict | Path):
        return " ".join(f"{seen!r:.80}".split())
    return kind_of(seen)


def kind_of(seen: Any) -> str:
    """ "a GPT2Config object"."""
    kind = type(seen).__name__
    return f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind} object"


def _origin(sources: Sequence[Source], place: Place) -> tuple[str, Any]:
    """The value at `place` and the name of the source that decided it, which is the last one."""
    for source in reversed(sources):
        value = value_at(source.tree, place)
        if value is not None:
            return source.name, value
    return sources[0].name, None
