"""Whether two result tables are the same by Spider's rule: columns in any order, rows as a bag.

Source: the official evaluator of Spider's test suites (Zhong et al. 2020,
https://arxiv.org/abs/2010.02840), whose verdicts these functions give. It tries all permutations of
the columns; here they are narrowed down column by column, which finds the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

Rows = Sequence[Sequence[Any]]
Labels = Sequence[Hashable]


def order_matters(gold_sql: str) -> bool:
    """Whether the rows' order counts: the gold query has `ORDER BY` anywhere."""
    return "order by" in gold_sql.lower()


def same_result(gold_rows: Rows, predicted_rows: Rows, ordered: bool) -> bool:
    """Whether some order of the predicted columns makes the two tables equal.

    Cells are equal as in Python: 1 equals 1.0, "1" does not, case matters, floats are exact.

    Args:
        gold_rows: (R, C) cells.
        predicted_rows: (R', C') cells.
        ordered: whether the rows must come in the same order, or are bags.
    """
    gold, predicted = [tuple(row) for row in gold_rows], [tuple(row) for row in predicted_rows]
    if gold == predicted and list(map(_types, gold)) == list(map(_types, predicted)):
        return True  # as most right answers are; what follows takes memory for large results
    if len(gold) != len(predicted) or len(gold[0]) != len(predicted[0]):
        return False
    gold_cells, predicted_cells = map(_sorted, gold), map(_sorted, predicted)
    if ordered:
        by_column = Counter(zip(*gold, strict=True)) == Counter(zip(*predicted, strict=True))
        return by_column and list(gold_cells) == list(predicted_cells)
    return set(gold_cells) == set(predicted_cells) and _bags_match(gold, predicted)


def _sorted(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The cells without their order.

    Sorting by text and type is the official evaluator's way to reject rows early, and part of its
    rule: it tells (2, 2.5) from (2.0, 2.5), which it sorts differently.
    """
    return tuple(sorted(row, key=lambda cell: str(cell) + str(type(cell))))


def _types(row: tuple[Any, ...]) -> tuple[type, ...]:
    return tuple(map(type, row))


def _bag(row: tuple[Any, ...]) -> int:
    """Equal for rows with the same cells in any order; only a hash, which takes little memory."""
    return hash(frozenset(Counter(row).items()))


def _bags_match(gold: list[tuple[Any, ...]], predicted: list[tuple[Any, ...]]) -> bool:
    """Whether columns can be paired so that the bags of rows are equal.

    A row's label is what is known of it so far, at first its cells in no order; the labels must
    agree as bags after each pair.
    """
    gold_labels, predicted_labels = list(map(_bag, gold)), list(map(_bag, predicted))
    if Counter(gold_labels) != Counter(predicted_labels):
        return False
    gold_columns = list(zip(*gold, strict=True))
    free = list(zip(*predicted, strict=True))
    contents = [Counter(column) for column in free]
    candidates = [sum(Counter(column) == other for other in contents) for column in gold_columns]
    fewest_first = sorted(range(len(gold_columns)), key=candidates.__getitem__)
    wanted = [gold_columns[index] for index in fewest_first]
    return all(candidates) and _pair(wanted, free, gold_labels, predicted_labels)


def _pair(
    wanted: list[tuple[Any, ...]],
    free: list[tuple[Any, ...]],
    gold_labels: Labels,
    predicted_labels: Labels,
) -> bool:
    """Pair the first of the `wanted` columns with each of the `free` ones, and so on."""
    if not wanted:
        return True
    for column in dict.fromkeys(free):
        numbers: dict[Hashable, int] = {}
        gold_next = _refined(gold_labels, wanted[0], numbers)
        predicted_next = _refined(predicted_labels, column, numbers)
        numbers.clear()  # before the next columns are paired: it is large
        if Counter(predicted_next) == Counter(gold_next):
            rest = list(free)
            rest.remove(column)
            if _pair(wanted[1:], rest, gold_next, predicted_next):
                return True
    return False


def _refined(labels: Labels, column: tuple[Any, ...], numbers: dict[Hashable, int]) -> list[int]:
    """A number for each pair of label and cell, the same number for the same pair."""
    return [
        numbers.setdefault((label, cell), len(numbers))
        for label, cell in zip(labels, column, strict=True)
    ]
