"""By which rule two results are the same: Spider's, or BIRD's.

Spider: both queries are prepared (`> =` joined, DISTINCT dropped, YEAR(CURDATE()) made 2020), and
the tables are equal with columns in any order and rows as a bag; see `comparison`. BIRD: queries
run as they are written, and the sets of rows are equal: columns in their order, rows in any, and
how often a row comes does not count.

Sources: Spider's test-suite evaluator (Zhong et al. 2020, https://arxiv.org/abs/2010.02840), and
BIRD's EX (Li et al. 2023, https://arxiv.org/abs/2305.03111, section 4).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from luciola.sql.comparison import Rows, order_matters, same_result
from luciola.sql.lexer import pieces

SPLIT_OPERATOR = re.compile(r"([<>!]) =")
THIS_YEAR = re.compile(r"YEAR\s*\(\s*CURDATE\s*\(\s*\)\s*\)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """How an answer is judged.

    Args:
        name: of the benchmark whose rule it is.
        prepare: a query as it is run.
        same: whether gold's rows and an answer's are the same; the third is the gold query.
        timeout_s: seconds that the benchmark gives a query.
    """

    name: str
    prepare: Callable[[str], str]
    same: Callable[[Rows, Rows, str], bool]
    timeout_s: float = 5.0


def spider(*, keep_distinct: bool = False) -> Rule:
    """Spider's rule; with `keep_distinct` a query keeps its DISTINCT, as Spider's flag says."""
    return Rule("Spider", partial(prepared, keep_distinct=keep_distinct), _same_table)


def prepared(sql: str, *, keep_distinct: bool = False) -> str:
    """The query as Spider runs it; only its first statement unless `keep_distinct`."""
    sql = SPLIT_OPERATOR.sub(r"\1=", sql)
    if not keep_distinct:
        sql = "".join(_without_distinct(sql))
    return THIS_YEAR.sub("2020", sql)


def _same_table(gold: Rows, predicted: Rows, gold_sql: str) -> bool:
    return same_result(gold, predicted, order_matters(gold_sql))


def _same_rows(gold: Rows, predicted: Rows, _gold_sql: str) -> bool:
    return set(map(tuple, gold)) == set(map(tuple, predicted))


def _without_distinct(sql: str) -> Iterator[str]:
    for piece in pieces(sql):
        if piece.kind != "word" or piece.text.lower() != "distinct":
            yield piece.text
        if piece.text == ";":
            return


SPIDER = spider()
BIRD = Rule("BIRD", str, _same_rows, timeout_s=30.0)
