"""The weighted sum of components: what waits runs beside what computes, everything is timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from luciola.rewards.background import start
from luciola.rewards.checking import Score, checked, failed
from luciola.rewards.component import Component
from luciola.rewards.person import PersonPart
from luciola.rewards.waiting import limited, outcome_within, watched
from luciola.types import Answered, Scored


@dataclass(frozen=True)
class Mixture:
    """Σ weight · score over the components; a `luciola.types.Reward`.

    Components that wait (HTTP, asynchronous functions) run in threads of their own; meanwhile the
    others run one after the other in the calling thread, so that no two models share a device and
    no function of a person's need be thread-safe.
    """

    components: tuple[Component, ...]
    timeout: float = 0.0
    """Seconds that a component may take; 0: no limit."""

    def score(self, answered: Sequence[Answered]) -> Scored:
        """One score per answer; numbers per token where a component gives these.

        A number for a whole answer then stands at its last token. `parts` has each component's
        number per answer (its sum over the tokens) before the weight, and as `component/part` what
        a reward within it is made of. `seconds` may add up to more than went by.

        Raises: RewardError, naming the component and the sample.
        """
        if not answered:
            return Scored([], {component.name: [] for component in self.components})
        outcomes = self._outcomes(answered)
        weights = [component.weight for component in self.components]
        scores = [
            weighted_sum(weights, [outcome.scores[place] for outcome in outcomes], one.token_count)
            for place, one in enumerate(answered)
        ]
        parts: dict[str, Sequence[float]] = {}
        seconds: dict[str, float] = {}
        for component, outcome in zip(self.components, outcomes, strict=True):
            parts[component.name] = [total(score) for score in outcome.scores]
            parts |= {f"{component.name}/{name}": part for name, part in outcome.parts.items()}
            seconds[component.name] = outcome.seconds
        return Scored(scores, parts, seconds)

    def _outcomes(self, answered: Sequence[Answered]) -> list[_Outcome]:
        calls = [_call(component, answered) for component in self.components]
        began = time.monotonic()
        pending = {
            place: start(calls[place])
            for place, component in enumerate(self.components)
            if component.part.waits
        }
        done = {
            place: self._now(calls[place], component, len(answered))
            for place, component in enumerate(self.components)
            if place not in pending
        }
        for place, future in pending.items():
            name, gone = self.components[place].name, time.monotonic() - began
            left = max(self.timeout - gone, 1e-3) if self.timeout else 0.0
            with watched(name, len(answered)):
                done[place] = outcome_within(
                    future.result, name, left, len(answered), said=self.timeout
                )
        return [done[place] for place in range(len(calls))]

    def _now(self, call: Callable[[], _Outcome], component: Component, count: int) -> _Outcome:
        """The outcome of what does not wait; a person may take any time."""
        if isinstance(component.part, PersonPart):
            return call()
        with watched(component.name, count), limited(component.name, self.timeout, count):
            return call()


def weighted_sum(weights: Sequence[float], scores: Sequence[Score], num_tokens: int) -> Score:
    """Σ weight · score of one answer: a number where all are, else a list of `num_tokens`."""
    if all(isinstance(score, float) for score in scores):
        return sum((w * total(s) for w, s in zip(weights, scores, strict=True)), 0.0)
    sums = [0.0] * num_tokens
    for weight, score in zip(weights, scores, strict=True):
        if isinstance(score, list):
            sums = [before + weight * token for before, token in zip(sums, score, strict=True)]
        elif sums:
            sums[-1] += weight * score
    return sums


def total(score: Score) -> float:
    """A score as one number: itself, or the sum over the tokens."""
    return sum(score, 0.0) if isinstance(score, list) else score


@dataclass(frozen=True)
class _Outcome:
    scores: list[Score]
    seconds: float
    parts: Mapping[str, Sequence[float]] = field(default_factory=dict)


def _call(component: Component, answered: Sequence[Answered]) -> Callable[[], _Outcome]:
    def run() -> _Outcome:
        began = time.perf_counter()
        try:
            raw = component.part.raw(answered)
        except (Exception, SystemExit) as error:  # a person's code and a server may raise anything
            raise failed(component.name, error, answered) from error
        seconds = time.perf_counter() - began
        if isinstance(raw, Scored):
            scores = checked(component.name, answered, raw.scores)
            return _Outcome(scores, seconds, _parts(component.name, answered, raw))
        return _Outcome(checked(component.name, answered, raw), seconds)

    return run


def _parts(name: str, answered: Sequence[Answered], raw: Scored) -> dict[str, list[float]]:
    """What the scores of a reward are made of, looked at as its scores are."""
    return {
        part: [total(score) for score in checked(f"{name}/{part}", answered, values)]
        for part, values in raw.parts.items()
    }
