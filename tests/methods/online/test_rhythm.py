"""Which prompts and answers come when: everything once, in an order of its own, by address."""

from __future__ import annotations

from typing import Any

from luciola.config.online import PpoConfig
from luciola.methods.online.rhythm import Rhythm


def rhythm(prompts: int = 20, iterations: int = 10, **settings: Any) -> Rhythm:
    given = {"rollouts": 8, "batch": 4, "updates": 3, "trace_prompts": 0, **settings}
    return Rhythm(PpoConfig(model="m", prompts="p", reward=("r",), **given), prompts, iterations)


def test_each_pass_takes_every_answer_once_in_an_order_of_its_own() -> None:
    made = rhythm()
    assert made.steps_per_iteration == 6
    orders = set()
    for iteration in range(3):
        for index in range(3):
            batches = [made.members(iteration, index * 2 + part) for part in range(2)]
            order = tuple(batches[0] + batches[1])
            assert sorted(order) == list(range(8))
            orders.add(order)
    assert len(orders) == 9


def test_a_last_batch_may_be_smaller() -> None:
    made = rhythm(batch=5)
    assert [len(made.members(0, position)) for position in range(2)] == [5, 3]


def test_an_epoch_answers_every_prompt_and_the_next_in_another_order() -> None:
    made = rhythm(rollouts=10, batch=5)
    rounds = [[one.prompt for one in made.asked(i)] for i in range(4)]
    first, second = rounds[0] + rounds[1], rounds[2] + rounds[3]
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


def test_several_answers_share_a_prompt() -> None:
    assert len(rhythm(answers=4).asked(0)) == 2


def test_no_two_answers_have_one_seed() -> None:
    made = rhythm()
    seeds = [one.seed for iteration in range(5) for one in made.asked(iteration)]
    assert len(set(seeds)) == len(seeds)
    assert [one.seed for one in rhythm(seed=1).asked(0)] != seeds[:8]


def test_traced_prompts_are_answered_at_the_rhythm_and_at_the_end() -> None:
    made = rhythm(trace_prompts=3, trace_every=4)
    traced = [i for i in range(10) if made.is_traced(i)]
    assert traced == [0, 4, 8, 9]
    for iteration in traced:
        asked = [one.prompt for one in made.asked(iteration)]
        assert {0, 1, 2} <= set(asked)
        assert len(asked) == len(set(asked)) == 8
