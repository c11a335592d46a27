from __future__ import annotations

import itertools
import random
import time
from collections import Counter

import pytest

from luciola.sql.comparison import order_matters, same_result
from reference_values import Source, sources


@pytest.mark.parametrize("read", sources())
def test_the_verdicts_of_the_official_evaluator(read: Source) -> None:
    for case in read("eval/result_eq_micro"):
        assert same_result(case["r1"], case["r2"], case["order_matters"]) == case["equal"], case


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_trying_every_permutation(seed: int, ordered: bool) -> None:
    draw = random.Random(seed)
    agreed = Counter[bool]()
    for _ in range(300):
        width, height = draw.randint(1, 4), draw.randint(1, 4)
        gold = [tuple(draw.choice("ab") for _ in range(width)) for _ in range(height)]
        predicted = [tuple(draw.sample(row, width)) for row in gold]
        if draw.random() < 0.6:
            columns = draw.sample(range(width), width)
            predicted = [tuple(row[column] for column in columns) for row in gold]
        if draw.random() < 0.5:
            draw.shuffle(predicted)
        expected = any(
            ([*permuted] if ordered else Counter(permuted)) == (gold if ordered else Counter(gold))
            for columns in itertools.permutations(range(width))
            for permuted in [[tuple(row[column] for column in columns) for row in predicted]]
        )
        assert same_result(gold, predicted, ordered) == expected, (gold, predicted)
        agreed[expected] += 1
    assert min(agreed[True], agreed[False]) > 15


def test_two_empty_results_are_the_same_whatever_their_columns() -> None:
    assert same_result([], [], ordered=True)
    assert not same_result([], [(1,)], ordered=False)


def test_an_integer_equals_its_float_and_text_equals_neither() -> None:
    assert same_result([(1, "a")], [(1.0, "a")], ordered=True)
    assert not same_result([(1,)], [("1",)], ordered=False)
    assert not same_result([(None,)], [("",)], ordered=False)


def test_the_early_rejection_of_mixed_numbers_is_part_of_the_rule() -> None:
    """Sorted by text, (2, 2.5) is 2.5, 2 and (2.0, 2.5) is 2.0, 2.5: rejected before comparing."""
    assert not same_result([(2, 2.5)], [(2.0, 2.5)], ordered=False)
    assert not same_result([(2, 2.5)], [(2.0, 2.5)], ordered=True)


def test_repeated_rows_count() -> None:
    assert not same_result([(1, 2), (1, 2), (3, 4)], [(1, 2), (3, 4), (3, 4)], ordered=False)


def test_many_columns_are_compared_in_a_moment() -> None:
    draw = random.Random(0)
    gold = [tuple(draw.randint(0, 1) for _ in range(60)) for _ in range(200)]
    columns = draw.sample(range(60), 60)
    predicted = [tuple(row[column] for column in columns) for row in draw.sample(gold, 200)]
    started = time.perf_counter()
    assert same_result(gold, predicted, ordered=False)
    predicted[0] = (1 - predicted[0][0], *predicted[0][1:])
    assert not same_result(gold, predicted, ordered=False)
    assert not same_result([(0,) * 300] * 9, [(0,) * 299 + (1,)] * 9, ordered=False)
    assert time.perf_counter() - started < 1.0


def test_order_matters_where_the_gold_query_says_order_by() -> None:
    assert order_matters("SELECT a FROM t Order By a")
    assert not order_matters("SELECT a FROM orders")
