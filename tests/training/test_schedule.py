"""The learning rate by step."""

from __future__ import annotations

import pytest

from luciola.training.schedule import Schedule


def test_warm_up_rises_in_equal_parts_and_its_first_step_is_not_zero() -> None:
    """Four steps of warm-up to 0.8: 0.2, 0.4, 0.6, 0.8."""
    schedule = Schedule(lr=0.8, total_steps=10, kind="constant", warmup=4)
    rates = [schedule.at(step) for step in range(6)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_cosine_is_half_way_down_in_the_middle_and_ends_at_the_floor() -> None:
    """lr 1 to 0.1: 1 at the start, 0.55 in the middle, 0.1 at the end."""
    schedule = Schedule(lr=1.0, total_steps=10, kind="cosine", floor=0.1)
    assert [schedule.at(s) for s in (0, 5, 10)] == pytest.approx([1.0, 0.55, 0.1])


def test_linear_falls_in_equal_parts_after_a_share_of_warm_up() -> None:
    """20 % of 10 steps warm up; the other eight fall from 1 by an eighth each."""
    schedule = Schedule(lr=1.0, total_steps=10, kind="linear", warmup=0.2)
    assert schedule.warmup_steps == 2
    assert [schedule.at(s) for s in (1, 2, 3, 9)] == pytest.approx([1.0, 1.0, 0.875, 0.125])
