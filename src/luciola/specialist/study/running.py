"""A study from its grid to its report; what is there is not done again.

points ▶ prompts ▶ answers (kept) ▶ SQL ▶ verdicts ▶ points/KEY.json (kept) ▶ report
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from luciola.config.study import StudyConfig, StudyModel
from luciola.config.write import to_yaml
from luciola.errors import ConfigError
from luciola.runs.atomic import storage_errors, write_atomically
from luciola.runs.lock import Lock
from luciola.runs.progress import Progress
from luciola.specialist.study.grid import Plan, Point, first_answers_of, plan
from luciola.specialist.study.judging import judge, read_replies
from luciola.specialist.study.material import Material, read_material
from luciola.specialist.study.models import Opener, Reach, identity, open_model, reach
from luciola.specialist.study.prompts import Prompts
from luciola.specialist.study.results import Result, key_of, read_result, write_result
from luciola.sql.asking.model import Answers, LanguageModel, Sampling
from luciola.sql.dail.organization import Prompt

log = logging.getLogger(__name__)
BEFORE = ("embeddings", ".lock")
"""What a dry run, or one that ended at once, leaves in a folder that holds no study yet."""


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
        """Points without a result, or with questions that a server failed to answer."""
        return [point for point in self.plan.points if not self._is_finished(point)]

    def _is_finished(self, point: Point) -> bool:
        result = self.result_of(point)
        return result is not None and not (result.failed and self.model_of(point).url)

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


def run(config: StudyConfig, opener: Opener = open_model, *, show: bool = True) -> str:
    """Ask what has not been asked yet, judge it, and write the report; says what came of it.

    Raises: ConfigError, DataError, ModelError, EndpointError; StorageError where the folder is in
        use.
    """
    from luciola.specialist.study.report import write_report

    study = Study(config, opener)
    _check_folder(study.folder)
    _ = study.plan, study.material
    with storage_errors(study.folder):
        study.folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(study.folder)
    try:
        write_atomically(study.folder / "grid.yaml", to_yaml(config))
        _ask_all(study, show=show)
        return write_report(study.folder, config, study.plan, study.material, study.results())
    except KeyboardInterrupt:
        log.info("stopped: what was answered is kept, and the same command goes on from there")
        raise
    finally:
        lock.release()


def report_only(config: StudyConfig) -> str:
    """Write the report anew from the results that are there.

    Raises: ConfigError where there are none.
    """
    from luciola.specialist.study.report import write_report

    study = Study(config)
    results = study.results()
    if not results:
        raise ConfigError(
            f"{study.folder} holds no results of this grid",
            remedy="Run the same command without --report-only first.",
        )
    return write_report(study.folder, config, study.plan, study.material, results)


def _check_folder(folder: Path) -> None:
    """Raises: ConfigError where the folder holds something that is no study."""
    if not folder.is_dir() or (folder / "grid.yaml").is_file():
        return
    if any(path.name not in BEFORE for path in folder.iterdir()):
        raise ConfigError(
            f"{folder} holds something else than a study", remedy="Choose another out=FOLDER."
        )


def _ask_all(study: Study, *, show: bool) -> None:
    points = study.unfinished()
    count, number = len(study.material.questions), 0
    with Progress(len(points) * count, show=show, what="asking") as progress:
        progress.note(f"{study.plan.summary()}; {count} questions; {len(points)} points to ask")
        for model in study.config.models:
            own = [point for point in points if point.model == model.label]
            for point, result in _ask_model(study, model, own, progress, number * count):
                number += 1
                progress.note(_line(point, result, number, len(points)))


def _ask_model(
    study: Study, model: StudyModel, points: Sequence[Point], progress: Progress, start: int
) -> Iterator[tuple[Point, Result]]:
    """Open one model where there is something to ask, and let go of it before the next."""
    if not points:
        return
    opened = study.opener(model, study.config)
    for number, point in enumerate(points):
        before = start + number * len(study.material.questions)
        yield point, _ask(study, point, opened, _counter(progress, before))


def _counter(progress: Progress, start: int) -> Callable[[int, int], None]:
    return lambda answered, _: progress.update(start + answered)


def _ask(
    study: Study, point: Point, model: LanguageModel, progress: Callable[[int, int], None]
) -> Result:
    """Ask and judge one point, and keep what came of it."""
    prompts = study.prompts_of(point)
    began = time.monotonic()
    texts = [prompt.text for prompt in prompts]
    answers = model.answer(texts, study.sampling(point), progress)
    seconds = time.monotonic() - began
    result = _result(study, point, prompts, answers, seconds)
    write_result(study.path_of(point), result)
    return result


def _result(
    study: Study,
    point: Point,
    prompts: Sequence[Prompt],
    answers: Sequence[Answers],
    seconds: float,
) -> Result:
    sqls = read_replies(study.config, study.material, answers)
    judged = judge(study.config, study.material, sqls)
    prices = study.reach(study.model_of(point)).prices
    new = sum(not each.cached for each in answers)
    return Result(
        point,
        tuple(judged),
        tuple(sqls),
        prompt_tokens=_mean(answers, "prompt_tokens"),
        answer_tokens=_mean(answers, "answer_tokens"),
        examples=sum(len(prompt.examples) for prompt in prompts) / len(prompts),
        seconds=seconds / new if new else None,
        cost=sum(prices.of(replace(each, cached=False)) for each in answers) if prices else 0.0,
        failed=sum(not each.texts for each in answers),
    )


def _mean(answers: Sequence[Answers], name: str) -> float | None:
    values = [getattr(each, name) for each in answers if each.texts and each.counted]
    return sum(values) / len(values) if values else None


def _line(point: Point, result: Result, number: int, count: int) -> str:
    shares = [(name, result.share(name)) for name in ("ex", "em")]
    words = [f"{name} {share:.1%}" for name, share in shares if share is not None]
    words += [f"{result.prompt_tokens:,.0f} tokens"] if result.prompt_tokens else []
    words += [f"{result.failed} without an answer"] if result.failed else []
    return f"{number}/{count} {point.model} {point.way}: {', '.join(words)}"
