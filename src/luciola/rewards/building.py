"""From the recipe's `reward` to the object that scores."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from luciola.errors import ConfigError
from luciola.plugins import load_object
from luciola.rewards.component import Component, Part
from luciola.rewards.functions import FunctionPart, RewardPart
from luciola.rewards.mixture import Mixture
from luciola.rewards.rules import LengthPart, PatternPart, lexicon
from luciola.rewards.spec import FUNCTION, Spec, parse
from luciola.types import Reward

if TYPE_CHECKING:
    import torch

    from luciola.models.scorer import Scorer

Written = str | Callable[..., Any] | Reward


@dataclass(frozen=True)
class Place:
    """Where files are looked for and models computed."""

    relative_to: Path | None
    device: str | torch.device
    scorers: Callable[[Path], Scorer | None] = lambda path: None
    trust_remote_code: bool = False

    def path(self, text: str) -> Path:
        """A file or folder: beside the recipe where it is there, else as written."""
        path = Path(text).expanduser()
        beside = path if self.relative_to is None else self.relative_to / path
        return beside if beside.exists() else path


def build_reward(
    spec: Written | Sequence[Written],
    *,
    relative_to: Path | None = None,
    device: str | torch.device = "cpu",
    scorers: Callable[[Path], Scorer | None] = lambda path: None,
    trust_remote_code: bool = False,
    timeout: float = 0.0,
) -> Mixture:
    """The reward that a recipe or a caller gives; several are added, each with its weight.

    Models are loaded here, so that a run that lacks one stops before it samples.

    Args:
        spec: texts as `spec.parse` reads them, functions, or `Reward` objects; one or several.
        relative_to: the recipe's folder.
        device: where models compute.
        scorers: gives the scorer of a reward model that is in memory already, by its folder; None:
            it is loaded.
        trust_remote_code: run Python code that comes with a reward model or classifier.
        timeout: seconds that a component may take; 0: no limit.

    Raises: ConfigError for what is not understood, ModelError for a model that is not there.
    """
    written = list(spec) if isinstance(spec, Sequence) and not isinstance(spec, str) else [spec]
    if not written:
        raise ConfigError("reward: must not be empty", remedy="reward=my_rewards.py:polite")
    place = Place(relative_to, device, scorers, trust_remote_code)
    components: list[Component] = []
    for one in written:
        taken = {component.name for component in components}
        components.append(_component(one, place, taken))
    return Mixture(tuple(components), timeout)


def _component(written: Written, place: Place, taken: set[str]) -> Component:
    if not isinstance(written, str):
        name = _free(_name_of(written), taken)
        return Component(name, 1.0, part_of(name, written))
    spec = parse(written)
    if spec.name in taken:
        raise ConfigError(f"reward: two components are called {spec.name!r}")
    name = spec.name or _free(_default_name(spec), taken)
    return Component(name, spec.weight, _part(name, spec, place))


def part_of(name: str, thing: Any) -> Part:
    """A Python object as a part: a function, a `Reward`, or a class that makes one of these.

    Raises: ConfigError if it is none of them.
    """
    if inspect.isclass(thing):
        thing = _made(name, thing)
    if callable(getattr(thing, "score", None)):
        return RewardPart(thing)
    if callable(thing):
        return FunctionPart(name, thing)
    raise ConfigError(
        f"reward: {name} is {type(thing).__name__!r}, neither a function nor an object with score",
        remedy="def NAME(answers): return [...], one score per answer",
    )


def _made(name: str, cls: type[Any]) -> Any:
    try:
        return cls()
    except TypeError as error:
        raise ConfigError(
            f"reward: the class {name} cannot be made without arguments ({error})",
            remedy=f"Name an object of it in the file: reward = {cls.__name__}(...)",
        ) from error


def _part(name: str, spec: Spec, place: Place) -> Part:
    if spec.kind == FUNCTION:
        return part_of(name, load_object(spec.argument, relative_to=place.relative_to))
    return MAKERS[spec.kind](name, spec.argument, place)


def _http(name: str, argument: str, place: Place) -> Part:
    from luciola.rewards.http import HttpPart

    return HttpPart(argument)


def _person(name: str, argument: str, place: Place) -> Part:
    from luciola.rewards.person import RATINGS, PersonPart

    return PersonPart(place.path(argument or RATINGS))


def _model(name: str, argument: str, place: Place) -> Part:
    from luciola.rewards.model import ModelPart

    folder, trusted = place.path(argument), place.trust_remote_code
    scorer = place.scorers(folder)
    if scorer:
        return ModelPart(scorer)
    return ModelPart.load(folder, device=place.device, trust_remote_code=trusted)


def _classifier(name: str, argument: str, place: Place) -> Part:
    from luciola.rewards.classifier import ClassifierPart

    folder, _, label = argument.partition("#")
    return ClassifierPart.load(
        str(place.path(folder)),
        label,
        device=place.device,
        trust_remote_code=place.trust_remote_code,
    )


MAKERS: dict[str, Callable[[str, str, Place], Part]] = {
    "length": lambda name, argument, place: LengthPart.from_text(argument),
    "regex": lambda name, argument, place: PatternPart.from_text(argument),
    "lexicon": lambda name, argument, place: lexicon(place.path(argument) if argument else None),
    "http": _http,
    "person": _person,
    "model": _model,
    "classifier": _classifier,
}
"""What makes each kind; the heavy ones import late."""


def _default_name(spec: Spec) -> str:
    if spec.kind == FUNCTION:
        return spec.argument.rpartition(":")[2].replace(".", "_")
    return urlsplit(spec.argument).hostname or "http" if spec.kind == "http" else spec.kind


def _name_of(thing: Any) -> str:
    name = getattr(thing, "__name__", "") or type(thing).__name__
    return "reward" if name == "<lambda>" else name


def _free(name: str, taken: set[str]) -> str:
    """`length`, then `length_2`, `length_3`, …"""
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
