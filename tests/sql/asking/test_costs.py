"""Tokens and money, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from luciola.sql.asking.costs import Costs, Prices, costs_of
from luciola.sql.asking.model import Answers

PRICES = Prices(prompt=2.0, answer=10.0)


def test_money_is_paid_for_each_request_and_for_all_that_was_written() -> None:
    """3 x 1,000 tokens at 2 per million and 500 at 10 per million: 0.006 + 0.005."""
    asked = Answers(("a", "b", "c"), 1000, 500, requests=3)
    assert abs(PRICES.of(asked) - 0.011) < 1e-12


def test_what_was_kept_costs_nothing() -> None:
    assert PRICES.of(Answers(("a",), 1000, 500, cached=True)) == 0


def test_totals_count_each_kind() -> None:
    total = costs_of(
        [
            Answers(("a",), 100, 10),
            Answers(("b",), 100, 10, cached=True),
            Answers((), 50, 0, error="too long"),
            Answers(("c",), 0, 0, counted=False, requests=2),
        ],
        PRICES,
    )
    assert replace(total, money=0.0) == Costs(4, 1, 1, 1, 4, 150, 10)
    assert "cost 12.3457" in str(replace(total, money=12.345678))
    assert abs(total.money - (150 * 2 + 10 * 10) / 1e6) < 1e-12
    assert str(total) == (
        "4 prompts, 1 kept from before, 150 tokens read, 10 written, cost 0.0004, "
        "1 without a count of tokens"
    )


def test_totals_can_be_added() -> None:
    one = Costs(1, 2, 3, 4, 5, 6, 7, 8.0)
    assert one + one == Costs(2, 4, 6, 8, 10, 12, 14, 16.0)
