"""The engine and the plain sampler over one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from luciola.rollout.engine.engine import FastEngine
from luciola.rollout.engine.source import Source
from luciola.rollout.naive import NaiveSampler
from luciola.types import Request, Sample

END = 40


def assert_same(found: Sequence[Sample], expected: Sequence[Sample]) -> None:
    """Same tokens and reasons, log-probabilities up to float32's rounding."""
    assert [(s.request, tuple(s.ids), s.finish) for s in found] == [
        (s.request, tuple(s.ids), s.finish) for s in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


@pytest.fixture
def compare() -> Callable[..., list[Sample]]:
    """Ask both, and see that they say the same; returns it."""

    def both(model: Any, requests: Sequence[Request], **options: Any) -> list[Sample]:
        shared = {"end_ids": [END], "tokenizer": options.pop("tokenizer", None)}
        found = FastEngine(Source(model), **shared, **options).sample(requests)
        assert_same(found, NaiveSampler(model, **shared).sample(requests))
        return found

    return both
