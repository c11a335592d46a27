"""What follows an update, without a model: the early stop, the controller, the end of a pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from luciola.config.online import PpoConfig
from luciola.methods.online.algorithms import algorithm_for
from luciola.methods.online.method import Online
from luciola.methods.online.preparing import controller_for
from luciola.methods.online.rhythm import Rhythm


def under_way(**given: Any) -> Online:
    """At the beginning of an iteration's learning: 8 answers, 3 passes of 2 batches."""
    config = PpoConfig(
        model="m", prompts="p", reward=("r.py:f",), rollouts=8, batch=4, updates=3, **given
    )
    collector: Any = SimpleNamespace(
        config=config,
        algorithm=algorithm_for(config),
        feedback=SimpleNamespace(roles=SimpleNamespace(autocast=False), from_sampler=False),
        rhythm=Rhythm(config, 8, 5),
        world=SimpleNamespace(is_main=False),
    )
    made = Online(SimpleNamespace(), collector, controller_for(config), None, None)  # type: ignore[arg-type]
    made.experience = [None] * 8  # type: ignore[assignment]
    made._flat_figures = {"objective/kl": 9.0}
    return made


def learned(method: Online, *kls: float) -> None:
    """One step for each KL to the policy that sampled, in nats a token."""
    for kl in kls:
        method.after_step({"policy/ratio": 1.0, "policy/policy_kl": kl})


def test_an_iteration_ends_early_one_and_a_half_targets_away() -> None:
    method = under_way(target_kl=0.1)
    learned(method, 0.0, 0.14)
    assert (method.iteration, method.position) == (0, 2)
    learned(method, 0.0, 0.16)
    assert (method.iteration, method.position, method.experience) == (1, 0, None)
    assert method.figures()["updates/skipped"] == 2


def test_only_the_end_of_a_pass_can_end_an_iteration() -> None:
    method = under_way(target_kl=0.1)
    learned(method, 5.0)
    assert (method.iteration, method.position) == (0, 1)


def test_without_a_target_every_pass_is_taken() -> None:
    method = under_way()
    learned(method, *[5.0] * 5)
    assert method.iteration == 0
    learned(method, 5.0)
    assert method.iteration == 1
    assert method.figures()["updates/skipped"] == 0


def test_the_coefficient_follows_the_kl_of_all_answers() -> None:
    """9 nats where 6 are wanted: an error of 0.2 at most, over 8 answers of a horizon of 100."""
    method = under_way(kl_coef=0.5, kl_target=6.0, kl_horizon=100.0)
    learned(method, *[0.0] * 6)
    assert method.controller.coefficient == pytest.approx(0.5 * (1 + 0.2 * 8 / 100))


def test_a_batch_that_has_run_away_takes_no_step() -> None:
    method = under_way(ratio_threshold=3.0)
    assert method.accepts({"policy/ratio": 3.0})
    assert not method.accepts({"policy/ratio": 3.1})
    assert not method.accepts({"policy/ratio": float("nan")})
