"""Noise by address: right distribution, and nothing but the address counts."""

from __future__ import annotations

import math

import torch

from luciola.rollout.noise import gumbel, row_key, uniforms


def keys(number: int) -> torch.Tensor:
    return torch.tensor([row_key(seed) for seed in range(number)])


def test_the_hash_is_splitmix64() -> None:
    """The first output of splitmix64 seeded with 0 is 0xE220A8397B1DCDAF (Vigna's reference).

    Key -mix(1) and position 0 cancel to state 0 before the row's own finaliser, which maps 0 to 0;
    token 1 then adds one increment, so its 32 upper bits are 0xE220A839.
    """
    from luciola.rollout.noise import _mix, _signed

    key = torch.tensor([_signed(-_mix(1))])
    value = uniforms(key, 0, 2)[0, 1].item()
    assert math.isclose(value, 0xE220A839 / 2**32, rel_tol=1e-6)


def test_uniforms_are_uniform_in_every_decile_and_bit() -> None:
    """400,000 draws: chi-square of 9 degrees below 30; each bit set half the time."""
    draws = uniforms(keys(40), 3, 10_000).flatten().double()
    counts = torch.histc(draws, bins=10, min=0, max=1)
    expected = draws.numel() / 10
    assert ((counts - expected) ** 2 / expected).sum() < 30
    assert draws.min() > 0 and draws.max() < 1
    bits = (draws * 2**16).long()
    for bit in range(16):
        assert abs((bits >> bit & 1).double().mean().item() - 0.5) < 0.004  # 5 standard deviations


def test_gumbel_noise_has_the_mean_and_variance_of_a_gumbel_distribution() -> None:
    """Euler's constant and π²/6; over 400,000 draws 5 standard errors are 0.0101 and 0.0273."""
    draws = gumbel(keys(40), 0, 10_000).double()
    assert abs(draws.mean().item() - 0.5772157) < 0.0101
    assert abs(draws.var().item() - math.pi**2 / 6) < 0.0273
    assert draws.isfinite().all()


def test_the_largest_noisy_logit_follows_the_softmax() -> None:
    """Probabilities 0.5, 0.3 and 0.2 over 20,000 rows; 5 standard deviations are 0.018."""
    logits = torch.tensor([0.5, 0.3, 0.2]).log()
    tokens = (logits + gumbel(keys(20_000), 7, 3)).argmax(-1)
    shares = torch.bincount(tokens, minlength=3) / 20_000
    assert (shares - logits.exp()).abs().max() < 0.018


def test_neighbouring_addresses_are_uncorrelated() -> None:
    """Seeds, copies, positions and tokens: correlation below 5 / sqrt(40,000) = 0.025."""
    rows = uniforms(keys(40), 0, 1_000)
    pairs = {
        "seeds": (rows[:-1], rows[1:]),
        "tokens": (rows[:, :-1], rows[:, 1:]),
        "positions": (rows, uniforms(keys(40), 1, 1_000)),
        "copies": (rows, uniforms(torch.tensor([row_key(s, 1) for s in range(40)]), 0, 1_000)),
    }
    for name, (first, second) in pairs.items():
        correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]
        assert abs(correlation) < 0.025, name


def test_a_row_has_the_same_noise_in_every_batch() -> None:
    """Alone, among others, in another order, and on either side of a block of the CPU's cache."""
    some = keys(7)
    together = gumbel(some, 5, 50_000)
    assert torch.equal(together[4:5], gumbel(some[4:5], 5, 50_000))
    assert torch.equal(together.flip(0), gumbel(some.flip(0), 5, 50_000))


def test_a_token_has_the_same_noise_in_every_vocabulary_size() -> None:
    assert torch.equal(gumbel(keys(3), 2, 100)[:, :40], gumbel(keys(3), 2, 40))


def test_large_and_negative_seeds_are_accepted() -> None:
    distinct = {row_key(seed) for seed in (0, 1, -1, 2**63 - 1, 2**63, 2**64 - 2)}
    assert len(distinct) == 6
    assert all(-(2**63) <= key < 2**63 for key in distinct)
