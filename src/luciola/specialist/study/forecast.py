"""What a study will ask, before it asks: points, tokens, and costs at most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from luciola.config.study import StudyConfig
from luciola.errors import LuciolaError
from luciola.runs.progress import clock
from luciola.specialist.study.grid import Point
from luciola.specialist.study.models import check_available
from luciola.specialist.study.results import Result
from luciola.specialist.study.study import Study

CHARACTERS_PER_TOKEN = 3.5
"""Of prompts to models whose tokens nobody here can count."""


@dataclass(frozen=True)
class Forecast:
    """One point.

    Args:
        tokens: of its prompts, all questions together.
        counted: False where they are estimated by characters.
        cost: at most, where every answer is as long as it may be.
        result: what is there already.
    """

    point: Point
    tokens: int
    counted: bool
    cost: float
    result: Result | None


def forecast(config: StudyConfig) -> str:
    """The points with their tokens and costs, and the time left where some have been asked.

    Examples that DAIL_S will choose by answers that are not there yet are chosen by the questions
    alone here, which changes the number of tokens little.

    Raises: ConfigError, DataError, ModelError, as the study itself.
    """
    study = Study(config)
    points = [_forecast(study, point) for point in study.plan.points]
    return "\n".join(_lines(study, points))


def _forecast(study: Study, point: Point) -> Forecast:
    model = study.model_of(point)
    known = study.reach(model)
    prompts = [prompt.text for prompt in study.prompts_of(point)]
    if known.budget:
        tokens = sum(map(known.budget.count, prompts))
    else:
        tokens = round(sum(map(len, prompts)) / CHARACTERS_PER_TOKEN)
    answers = len(prompts) * point.votes * study.config.max_tokens
    paid = tokens * model.prompt_price + answers * model.answer_price
    return Forecast(point, tokens, known.budget is not None, paid / 1e6, study.result_of(point))


def _lines(study: Study, points: list[Forecast]) -> Iterator[str]:
    count = len(study.material.questions)
    yield f"{study.plan.summary()}; {count} questions"
    yield from _unavailable(study)
    width = max(len(_name(each.point)) for each in points) + 2
    yield f"{'point':{width}}tokens a question  cost at most"
    for each in points:
        about = "" if each.counted else "about "
        shown = f"{about}{each.tokens / count:,.0f}"
        price = f"{each.cost:.2f}" if each.cost else "–"
        done = "  done" if each.result else ""
        yield f"{_name(each.point):{width}}{shown:>17}  {price:>12}{done}"
    left = [each for each in points if not each.result]
    tokens = sum(each.tokens for each in left)
    cost = sum(each.cost for each in left)
    yield f"left: {len(left)} points, {tokens:,} tokens" + (f", {cost:.2f} at most" * bool(cost))
    if left and (seconds := _seconds(points, count)) is not None:
        yield f"about {clock(seconds)} by the pace of what is done"


def _unavailable(study: Study) -> Iterator[str]:
    """What would end the study before it asks anything."""
    for model in study.waiting():
        try:
            check_available(model)
        except LuciolaError as error:
            yield f"{model.label} cannot be asked: {error.message}"
            yield from [f"  {error.remedy}"] if error.remedy else []


def _name(point: Point) -> str:
    return f"{point.model} {point.way}"


def _seconds(points: list[Forecast], count: int) -> float | None:
    """Time left, where every model with something left has finished a point."""
    total = 0.0
    for each in points:
        if each.result:
            continue
        paces = [
            other.result.seconds
            for other in points
            if other.result and other.result.seconds and other.point.model == each.point.model
        ]
        if not paces:
            return None
        total += count * sum(paces) / len(paces)
    return total
