"""A study in its folder: its points, what they ask, and what has come of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from luciola.config.study import StudyConfig, StudyModel
from luciola.specialist.study.grid import Plan, Point, first_answers_of, plan
from luciola.specialist.study.material import Material, read_material
from luciola.specialist.study.models import Opener, Reach, identity, open_model, reach
from luciola.specialist.study.prompts import Prompts
from luciola.specialist.study.results import Result, is_outdated, key_of, read_result
from luciola.sql.asking.model import Sampling
from luciola.sql.dail.organization import Prompt


@dataclass
class Study:
    """A study in its folder.

    Args:
        config: the grid.
        opener: loads or connects a model; called once something must be asked of it.
    """

    config: StudyConfig
    opener: Opener = open_model
    _reaches: dict[str, Reach] = field(default_factory=dict)
    _identities: dict[str, str] = field(default_factory=dict)

    @cached_property
    def plan(self) -> Plan:
        return plan(self.config)

    @cached_property
    def material(self) -> Material:
        return read_material(self.config)

    @cached_property
    def prompts(self) -> Prompts:
        return Prompts(self.config, self.material)

    @property
    def folder(self) -> Path:
        return Path(self.config.out)

    def reach(self, model: StudyModel) -> Reach:
        """What is known of a model, found out once."""
        if model.label not in self._reaches:
            self._reaches[model.label] = reach(model, self.config)
        return self._reaches[model.label]

    def identity(self, model: StudyModel) -> str:
        """What tells a model from every other, found out once; a hub's need not be here."""
        if model.label not in self._identities:
            self._identities[model.label] = identity(model)
        return self._identities[model.label]

    def model_of(self, point: Point) -> StudyModel:
        return next(model for model in self.config.models if model.label == point.model)

    def path_of(self, point: Point) -> Path:
        """The file with a point's result."""
        model = self.identity(self.model_of(point))
        key = key_of(point, self.config, self.material, model)
        return self.folder / "points" / f"{key}.json"

    def result_of(self, point: Point) -> Result | None:
        """What came of a point; None where it is not finished."""
        found = read_result(self.path_of(point))
        return replace(found, point=point) if found else None

    def results(self) -> list[Result]:
        """Those of the finished points, in the order of the plan."""
        found = (self.result_of(point) for point in self.plan.points)
        return [result for result in found if result is not None]

    def unfinished(self) -> list[Point]:
        """Points without a result, or with questions that a server failed to answer, or that
        could not be judged because their database could not be read.
        """
        return [point for point in self.plan.points if not self._is_finished(point)]

    def outdated(self) -> int:
        """Results that an earlier version left, which read answers or told points otherwise."""
        return sum(is_outdated(path) for path in (self.folder / "points").glob("*.json"))

    def waiting(self) -> list[StudyModel]:
        """The models of which something must be asked, in the order of the grid."""
        labels = {point.model for point in self.unfinished()}
        return [model for model in self.config.models if model.label in labels]

    def _is_finished(self, point: Point) -> bool:
        result = self.result_of(point)
        if result is None or result.unreadable:
            return False
        return not (result.failed and self.model_of(point).url)

    def sampling(self, point: Point) -> Sampling:
        """How a point's prompts are answered."""
        votes = point.votes > 1
        return Sampling(
            answers=point.votes,
            temperature=self.config.vote_temperature if votes else self.config.temperature,
            max_tokens=self.config.max_tokens,
            stop=self.reach(self.model_of(point)).stop,
            seed=self.config.seed,
        )

    def prompts_of(self, point: Point) -> list[Prompt]:
        """The prompts of a point; its first answers, if it needs any, must be finished."""
        before = first_answers_of(point, self.config.first_answers)
        first: Sequence[str] = self.material.first
        if before is not None:
            found = self.result_of(before)
            first = [sql or "SELECT" for sql in found.sqls] if found else ()
        budget = self.reach(self.model_of(point)).budget
        return list(self.prompts.of(point, budget, first))
