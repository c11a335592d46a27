"""Seeds by address."""

from __future__ import annotations

from luciola.seeds import seed


def test_a_seed_is_the_same_everywhere() -> None:
    """A fixed value: a change of the hash would change every run."""
    assert seed(0, "order", 3) == 6438283274945629863


def test_parts_are_kept_apart() -> None:
    """("ab", "c") is not ("a", "bc"), and 1 is not "1"."""
    addresses = [("ab", "c"), ("a", "bc"), ("abc",), (1,), ("1",), (1, 1), (11,)]
    assert len({seed(*address) for address in addresses}) == len(addresses)


def test_seeds_fit_a_signed_64_bit_integer() -> None:
    assert all(0 <= seed("x", i) < 2**63 for i in range(1000))
