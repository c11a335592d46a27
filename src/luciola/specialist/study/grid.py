"""The points of a study: products of settings without what does not exist and what repeats.

grids ▶ combinations ▶ points (each once, by model) ▶ what they need first ▶ in order
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

from luciola.config.study import OWN, Grid, StudyConfig, StudyModel
from luciola.errors import ConfigError
from luciola.sql.dail.organization import organization
from luciola.sql.dail.representation import (
    FAMILIES,
    ORIGINAL_NAMES,
    PLAIN,
    RULE,
    Representation,
    representation,
)
from luciola.sql.dail.selection import selection

SWITCHES = {"default": None, "with": True, "without": False}
FIRST = ("MQS_S", "ZERO_SHOT")


@dataclass(frozen=True)
class Point:
    """One way of asking one model.

    Args:
        model: its label.
        representation, foreign_keys, wording: as in `luciola.sql.dail.representation`.
        shots: examples; with 0 of them selection and organization are "".
        votes: answers of which the most frequent result is taken.
    """

    model: str
    representation: str
    foreign_keys: bool
    wording: str
    shots: int = 0
    selection: str = ""
    organization: str = ""
    votes: int = 1

    @cached_property
    def chosen(self) -> Representation:
        return Representation(self.representation, self.foreign_keys, self.wording)

    @property
    def variant(self) -> str:
        """The representation with what differs from the paper's figure 1: `TR_P+FK`."""
        family = FAMILIES[self.representation]
        marks = ["+FK"] if self.foreign_keys and family.keys is not None else []
        if self.wording != family.default:
            marks.append({PLAIN: "-rule", RULE: "+rule"}.get(self.wording, "+steps"))
        return self.representation + "".join(marks)

    @property
    def way(self) -> str:
        """All of it but the model, in few words: `CR_P 5 x DAIL_S DAIL_O`."""
        words = [self.variant]
        words += [f"{self.shots} x {self.selection} {self.organization}"] if self.shots else []
        return " ".join(words + ([f"{self.votes} votes"] if self.votes > 1 else []))

    @property
    def values(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """What is to be asked, in order: model by model, and first answers before what needs them.

    Args:
        asked: points that the grids name.
        added: points that are only asked because others need their answers.
        impossible: combinations that do not exist, as CR_P without foreign keys.
        repeated: combinations that were named before, or differ in what means nothing without
            examples.
    """

    points: tuple[Point, ...]
    added: tuple[Point, ...]
    impossible: int
    repeated: int

    def of(self, model: str) -> list[Point]:
        return [point for point in self.points if point.model == model]

    def summary(self) -> str:
        """How many points there are, and what is not among them."""
        words = [f"{len(self.points)} points"]
        words += [f"{len(self.added)} of them for the first answers of others"] * bool(self.added)
        words += [f"{self.impossible} combinations do not exist"] * bool(self.impossible)
        words += [f"{self.repeated} are repetitions"] * bool(self.repeated)
        return ", ".join(words)


def plan(config: StudyConfig) -> Plan:
    """The points of a study.

    Raises: ConfigError for a name that there is not, or where no combination exists.
    """
    named: dict[Point, None] = {}
    impossible = total = 0
    for grid in config.grids:
        _check_names(grid)
        for point in _combinations(grid, config.models):
            total += 1
            if point is None:
                impossible += 1
            else:
                named[point] = None
    if not named:
        raise ConfigError("no combination of the grids exists", remedy="See docs/study.md.")
    ordered = [point for model in config.models for point in _ordered(named, model, config)]
    added = tuple(point for point in ordered if point not in named)
    return Plan(tuple(ordered), added, impossible, total - impossible - len(named))


def first_answers_of(point: Point, way: str) -> Point | None:
    """The point whose answers a point's selection compares with; None where it needs none.

    Args:
        way: MQS_S: as in the published pipeline, the same prompt with examples chosen by the masked
            question; ZERO_SHOT: without examples. Anything else is a file.
    """
    if not point.shots or selection(point.selection).skeleton != "prediction":
        return None
    if way == "MQS_S":
        return replace(point, selection="MQS_S")
    if way == "ZERO_SHOT":
        return replace(point, shots=0, selection="", organization="")
    return None


def _ordered(named: dict[Point, None], model: StudyModel, config: StudyConfig) -> Iterator[Point]:
    done: set[Point] = set()
    for point in named:
        if point.model != model.label:
            continue
        for each in (first_answers_of(point, config.first_answers), point):
            if each is not None and each not in done:
                done.add(each)
                yield each


def _combinations(grid: Grid, models: tuple[StudyModel, ...]) -> Iterator[Point | None]:
    """Every combination of a grid; None for one that does not exist."""
    asked = [model for model in models if not grid.models or model.label in grid.models]
    axes = (grid.representations, grid.foreign_keys, grid.rule)
    ways = (grid.shots, grid.selections, grid.organizations, grid.votes)
    for model, written, shown in product(asked, product(*axes), product(*ways)):
        chosen = _written(model, *written)
        yield _point(model.label, chosen, *shown) if chosen else None


def _point(
    model: str, chosen: Representation, shots: int, chosen_by: str, shown: str, votes: int
) -> Point:
    written = (model, chosen.name, chosen.foreign_keys, chosen.wording)
    if not shots:
        return Point(*written, votes=votes)
    return Point(*written, shots, chosen_by.upper(), shown.upper(), votes)


def _written(model: StudyModel, name: str, keys: str, rule: str) -> Representation | None:
    """The representation; None where a model names no own one, or it has no such variant."""
    shown, said = SWITCHES[keys], SWITCHES[rule]
    if name.upper() == OWN:
        name = model.representation
        shown = model.foreign_keys if shown is None else shown
        said = model.rule if said is None else said
    if not name:
        return None
    try:
        return representation(name, foreign_keys=shown, rule=said)
    except ConfigError:
        return None


def _check_names(grid: Grid) -> None:
    """Raises: ConfigError for a representation, selection or organization that there is not."""
    for name in grid.representations:
        if name.upper() not in (OWN, *FAMILIES, *ORIGINAL_NAMES):
            representation(name)
    for name in grid.selections:
        selection(name)
    for name in grid.organizations:
        organization(name)
