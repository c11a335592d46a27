"""A study from its grid to its report; what is there is not done again.

points ▶ prompts ▶ answers (kept) ▶ SQL ▶ verdicts ▶ points/KEY.json (kept) ▶ report
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from luciola.config.study import StudyConfig, StudyModel
from luciola.config.write import to_yaml
from luciola.errors import ConfigError
from luciola.runs.atomic import storage_errors, write_atomically
from luciola.runs.lock import Lock
from luciola.runs.progress import Progress
from luciola.specialist.study.grid import Point
from luciola.specialist.study.judging import judge, read_replies
from luciola.specialist.study.models import Opener, check_available, open_model, without_keys
from luciola.specialist.study.results import Result, write_result
from luciola.specialist.study.study import Study
from luciola.sql.answer import without_thoughts
from luciola.sql.asking.model import Answers, LanguageModel
from luciola.sql.dail.organization import Prompt

log = logging.getLogger(__name__)
GRID = "grid.yaml"
MARKS = (".lock", "points")
"""One of these lies beside the grid in each folder of a study, and beside no other grid."""
BEFORE = ("embeddings", ".lock")
"""What a dry run, or one that ended at once, leaves in a folder that holds no study yet."""


def run(
    config: StudyConfig,
    opener: Opener = open_model,
    *,
    show: bool = True,
    source: Path | None = None,
) -> str:
    """Ask what has not been asked yet, judge it, and write the report; says what came of it.

    A model that cannot be had ends it before anything is asked of another.

    Args:
        source: the file that the grid was read from, which stays as it is.

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
        for model in study.waiting():
            check_available(model)
            study.reach(model)  # its tokenizer, too, is looked for before the first point
        grid = study.folder / GRID
        if source is None or not (grid.exists() and grid.samefile(source)):
            write_atomically(grid, to_yaml(without_keys(config)))
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
        remedy = "Run the same command without --report-only first."
        if outdated := study.outdated():
            remedy += f" {_said_of(outdated)}"
        raise ConfigError(f"{study.folder} holds no results of this grid", remedy=remedy)
    return write_report(study.folder, config, study.plan, study.material, results)


def _check_folder(folder: Path) -> None:
    """Raises: ConfigError where the folder holds something that is no study."""
    if not folder.is_dir():
        return
    if (folder / GRID).is_file() and any((folder / name).exists() for name in MARKS):
        return
    if any(path.name not in BEFORE for path in folder.iterdir()):
        raise ConfigError(
            f"{folder} holds something other than a study",
            remedy="Choose another out=FOLDER; nothing in this one was touched.",
        )


def _ask_all(study: Study, *, show: bool) -> None:
    points = study.unfinished()
    count, number = len(study.material.questions), 0
    with Progress(len(points) * count, show=show, what="asking") as progress:
        progress.note(f"{study.plan.summary()}; {count} questions; {len(points)} points to ask")
        if points and (outdated := study.outdated()):
            progress.note(_said_of(outdated))
        for model in study.config.models:
            own = [point for point in points if point.model == model.label]
            for point, result in _ask_model(study, model, own, progress, number * count):
                number += 1
                progress.note(_line(point, result, number, len(points)))


def _said_of(outdated: int) -> str:
    results = "result is" if outdated == 1 else "results are"
    return (
        f"{outdated} {results} of an earlier version and will be made anew; answers that are "
        "kept are judged again, not asked again."
    )


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
        cut=sum(bool(each.cut) for each in answers),
        thoughts=sum(_only_thinks(each) for each in answers),
    )


def _only_thinks(answers: Answers) -> bool:
    return bool(answers.texts) and not any(without_thoughts(text).strip() for text in answers.texts)


def _mean(answers: Sequence[Answers], name: str) -> float | None:
    values = [getattr(each, name) for each in answers if each.texts and each.counted]
    return sum(values) / len(values) if values else None


def _line(point: Point, result: Result, number: int, count: int) -> str:
    shares = [(name, result.share(name)) for name in ("ex", "em")]
    words = [f"{name} {share:.1%}" for name, share in shares if share is not None]
    words += [f"{result.prompt_tokens:,.0f} tokens"] if result.prompt_tokens else []
    words += [f"{result.failed} without an answer"] if result.failed else []
    if result.unreadable:
        words += [f"{result.unreadable} not judged, because the database cannot be read"]
    words += [f"{result.cut} cut off"] if result.cut else []
    words += [f"{result.thoughts} with thoughts alone"] if result.thoughts else []
    return f"{number}/{count} {point.model} {point.way}: {', '.join(words)}"
