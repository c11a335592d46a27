"""How Python objects stand in a recipe, where a file or a name would: `<64 rows 3f9a81c24d70>`.

A run is found again by its recipe, so what is given in Python stands there by its content: other
prompts of the same number, or a function that computes something else, are another run. What cannot
be compared is never taken for the same.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from luciola.config.training import TrainingConfig
from luciola.errors import ConfigError
from luciola.fingerprints import Fingerprint, Named, fingerprint
from luciola.fingerprints.files import code_digest, path_digest
from luciola.plugins import load_object, names_object
from luciola.rewards.spec import FUNCTION, parse

log = logging.getLogger(__name__)

INCOMPARABLE = "anew-"
"""Begins the digest of what cannot be compared, which is another one at every call."""


def named_rows(value: Any, setting: str = "data", *, resumes: bool = False) -> Any:
    """Rows or texts by their number and content; what names them stays as it is.

    Args:
        setting: that they were given for.
        resumes: an earlier run is to be gone on with.

    Raises: ConfigError where that run cannot be told from another.
    """
    if isinstance(value, str | Path):
        return value
    if isinstance(value, Named):
        return f"<rows named {value.name}>"
    rows = list(value)
    if not rows:
        return ""
    return f"<{len(rows)} rows {_digest(rows, setting, setting, resumes=resumes)}>"


def named_objects(value: Any, setting: str = "reward", *, resumes: bool = False) -> Any:
    """Functions and objects that score, one or several; what names them stays as it is."""
    if isinstance(value, list | tuple):
        return [_named(one, setting, resumes) for one in value]
    return _named(value, setting, resumes)


def _named(value: Any, setting: str, resumes: bool) -> Any:
    if isinstance(value, Named):
        return f"<{_name(value.thing)} named {value.name}>"
    if not (callable(value) or hasattr(value, "score")):
        return value
    name = _name(value)
    return f"<{name} {_digest(value, name, setting, resumes=resumes)}>"


def _name(value: Any) -> str:
    return str(getattr(value, "__name__", type(value).__name__))


def _digest(value: Any, name: str, setting: str, *, resumes: bool) -> str:
    """What tells it from others; where a part of it cannot be read, never the same twice."""
    found = fingerprint(value, name)
    if not found.unknown:
        return found.digest
    text = f"{setting}: {found.unknown[0]}, cannot be compared with that of an earlier run"
    remedy = f"{setting}=luciola.named('NAME', ...) compares by that name instead"
    if resumes:
        raise ConfigError(f"{text}, so it is not known which run to go on with", remedy=remedy)
    log.warning("%s, so this run begins anew → %s", text, remedy)
    return INCOMPARABLE + secrets.token_hex(6)


def is_resumable(texts: Iterable[str]) -> bool:
    """Whether a later call with the same things can be known to be the same run.

    Args:
        texts: a recipe, or fingerprints, as they stand in a run's folder.
    """
    return not any(f" {INCOMPARABLE}" in text for text in texts)


def are_rows(value: Any) -> bool:
    """Whether rows were given themselves, and not what names data: paths, or paths with weights."""
    if isinstance(value, Named):
        return True
    if not isinstance(value, Sequence) or isinstance(value, str):
        return False
    return bool(value) and isinstance(value[0], Mapping) and "path" not in value[0]


def named_contents(config: TrainingConfig) -> dict[str, str]:
    """Fingerprints of what a recipe only names: models in folders, functions, word lists.

    The keys say what each is; nothing is known of hub ids and servers.

    Raises: ConfigError for a function that cannot be loaded.
    """
    found = {}
    for setting in ("model", "reference", "value_init"):
        name = getattr(config, setting, "")
        path = Path(name).expanduser() if name else None
        if path is not None and path.exists():
            found[f"{setting} {name}"] = path_digest(path)
    for text in getattr(config, "reward", ()):
        found |= _of_reward(text)
    metric = getattr(config, "metric", "")
    if metric and names_object(metric):
        found[f"metric {metric}"] = _of_function(metric)
    return found


def _of_reward(text: str) -> dict[str, str]:
    if text.startswith("<"):  # an object, which stands in the recipe by its content
        return {}
    spec = parse(text)
    if spec.kind == FUNCTION:
        return {f"reward {spec.argument}": _of_function(spec.argument)}
    path = Path(spec.argument.partition("#")[0]).expanduser()
    if spec.kind in ("model", "classifier", "lexicon") and spec.argument and path.exists():
        return {f"reward {spec.kind}:{spec.argument}": path_digest(path)}
    return {}


_AT_FIRST: dict[int, tuple[Any, Fingerprint]] = {}
"""Functions of files as they were loaded: what a file's code remembers later is no change."""


def _of_function(spec: str) -> str:
    thing = load_object(spec)
    if id(thing) not in _AT_FIRST:
        _AT_FIRST[id(thing)] = thing, fingerprint(thing, spec)
    return code_digest(_AT_FIRST[id(thing)][1])
