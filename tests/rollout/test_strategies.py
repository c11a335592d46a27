"""Temperature and filters, with the arithmetic in the docstrings."""

from __future__ import annotations

import pytest
import torch

from luciola.rollout.strategies import Settings, choose, filtered, min_p, top_k, top_p
from luciola.types import Sampling

PROBABILITIES = torch.tensor([[0.1, 0.4, 0.2, 0.3]])
LOGITS = PROBABILITIES.log()


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def kept(scores: torch.Tensor) -> list[list[int]]:
    return [row.isfinite().nonzero().flatten().tolist() for row in scores]


def test_top_k_keeps_the_k_likeliest_of_each_row() -> None:
    """k = 2 keeps 0.4 and 0.3; k = 0 keeps all; k beyond the vocabulary keeps all."""
    rows = top_k(LOGITS.repeat(3, 1), column(2, 0, 9).long(), 9)
    assert kept(rows) == [[1, 3], [0, 1, 2, 3], [0, 1, 2, 3]]


def test_top_p_keeps_tokens_until_their_probability_reaches_p() -> None:
    """0.4 + 0.3 = 0.7 is below 0.75, with 0.2 not; 0.69 needs two; 0.01 keeps one; 1 all."""
    rows = top_p(LOGITS.repeat(4, 1), column(0.75, 0.69, 0.01, 1.0))
    assert kept(rows) == [[1, 2, 3], [1, 3], [1], [0, 1, 2, 3]]


def test_min_p_compares_with_the_likeliest() -> None:
    """0.4 · 0.6 = 0.24 keeps 0.4 and 0.3; 0.4 · 0.3 = 0.12 keeps 0.2 too; 0 keeps all."""
    rows = min_p(LOGITS.repeat(3, 1), column(0.6, 0.3, 0.0))
    assert kept(rows) == [[1, 3], [1, 2, 3], [0, 1, 2, 3]]


def test_filters_act_on_what_the_temperature_made() -> None:
    """At temperature 0.5 they go as squares: 16, 9, 4, 1 of 30; 16 / 30 reaches 0.5."""
    settings = Settings.of([Sampling(temperature=t, top_p=0.5) for t in (0.5, 1.0)], "cpu")
    assert kept(filtered(LOGITS.repeat(2, 1), settings)) == [[1], [1, 3]]


def test_later_filters_see_what_earlier_ones_left() -> None:
    """top_k 2 leaves 4/7 and 3/7; top_p 0.55 then needs one token, where alone it needs two."""
    both = Settings.of([Sampling(temperature=1, top_k=2, top_p=0.55)], "cpu")
    alone = Settings.of([Sampling(temperature=1, top_p=0.55)], "cpu")
    assert kept(filtered(LOGITS, both)) == [[1]]
    assert kept(filtered(LOGITS, alone)) == [[1, 3]]


def test_logprobs_are_of_the_distribution_that_was_sampled() -> None:
    """After top_k 2 the two tokens have 4/7 and 3/7, whatever was drawn."""
    settings = Settings.of([Sampling(temperature=1, top_k=2)] * 50, "cpu")
    tokens, logprobs = choose(LOGITS.repeat(50, 1), settings, torch.arange(50), 0)
    expected = torch.tensor([0.0, 4 / 7, 0.0, 3 / 7]).log()[tokens]
    assert set(tokens.tolist()) == {1, 3}
    assert torch.allclose(logprobs, expected)


@pytest.mark.parametrize("others", [[], [Sampling(temperature=1.0)]])
def test_temperature_zero_takes_the_likeliest_and_reports_the_models_logprob(
    others: list[Sampling],
) -> None:
    """log 0.4, whatever the filters say, alone or beside a sampled row."""
    rows = [Sampling(temperature=0, top_k=1, min_p=1), *others]
    logits = LOGITS.repeat(len(rows), 1)
    tokens, logprobs = choose(logits, Settings.of(rows, "cpu"), torch.arange(len(rows)), 0)
    assert tokens[0] == 1
    assert torch.isclose(logprobs[0], torch.tensor(0.4).log())


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_forbidden_token_is_never_chosen(temperature: float) -> None:
    """With the likeliest forbidden 0.3 leads, renormalised to 0.3 / 0.6 = 0.5."""
    allowed = torch.tensor([[True, False, True, True]]).repeat(60, 1)
    settings = Settings.of([Sampling(temperature=temperature)] * 60, "cpu")
    tokens, logprobs = choose(LOGITS.repeat(60, 1), settings, torch.arange(60), 0, allowed)
    assert 1 not in tokens
    assert torch.allclose(logprobs, (PROBABILITIES[0] / 0.6).log()[tokens])


def test_bf16_logits_are_sampled_in_float32() -> None:
    _, logprobs = choose(LOGITS.bfloat16(), Settings.of([Sampling()], "cpu"), torch.arange(1), 0)
    assert logprobs.dtype == torch.float32
