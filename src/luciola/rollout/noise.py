"""Sampling noise by address: a hash of (row, position, token) instead of a random generator.

A token's noise depends on nothing but its address, so a row's answer is the same in every batch,
order, device and process, and there is no generator state to save. Adding Gumbel noise to
log-probabilities and taking the largest samples from them (Gumbel-max; Maddison et al. 2014,
https://arxiv.org/abs/1411.0030).
"""

from __future__ import annotations

import torch
from torch import Tensor

# splitmix64's increment and mixing constants: Steele, Lea and Flood 2014, and Vigna's public-domain
# reference, https://prng.di.unimi.it/splitmix64.c
_GOLDEN = 0x9E3779B97F4A7C15
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31
_MASK = (1 << 64) - 1
_CACHE_ELEMENTS = 1 << 17
"""Elements hashed at once on the CPU: 1 MiB of int64 stays in the cache."""


def row_key(seed: int, copy: int = 0) -> int:
    """The 64-bit key of one answer: `copy` counts the answers to one request, from 0."""
    return _signed(_mix(_mix(seed & _MASK) + copy * _GOLDEN))


def gumbel(keys: Tensor, position: int | Tensor, size: int) -> Tensor:
    """Standard Gumbel noise for every token at one position of each row.

    Args:
        keys: (B,) int64 from `row_key`.
        position: index of the token within the answer, from 0; one for all rows, or (B,) int64.
        size: V, the number of tokens.

    Returns: (B, V) float32, mean 0.5772 and variance π²/6, at most 23.
    """
    uniform = uniforms(keys, position, size)
    return (
        uniform.neg_().log1p_().neg_().log_().neg_()
    )  # -log(-log(1 - u)): fine steps where it is large


def uniforms(keys: Tensor, position: int | Tensor, size: int) -> Tensor:
    """(B, V) float32, uniform between 0 and 1, the ends excluded; arguments as for `gumbel`."""
    tokens = torch.arange(size, device=keys.device) * _signed(_GOLDEN)
    place = _mixed(position + 1) if isinstance(position, Tensor) else _signed(_mix(position + 1))
    starts = _mixed(keys + place)
    if keys.device.type != "cpu":
        return _uniform(starts[:, None] + tokens)
    rows = max(1, _CACHE_ELEMENTS // size)
    parts = [_uniform(part[:, None] + tokens) for part in starts.split(rows)]
    return torch.cat(parts) if parts else torch.empty(0, size)


def _uniform(states: Tensor) -> Tensor:
    """The upper 32 bits of the mixed states, as the middle of one of 2^32 equal steps."""
    upper = _logical_shift(_mixed(states), 32)
    # float32 rounds the highest steps to 1, whose Gumbel noise would be infinite.
    return upper.to(torch.float32).add_(0.5).mul_(2.0**-32).clamp_(max=1 - 2.0**-24)


def _mixed(states: Tensor) -> Tensor:
    """splitmix64's finaliser on int64 tensors, whose arithmetic wraps modulo 2^64."""
    for shift, factor in _MIX:
        states = (states ^ _logical_shift(states, shift)).mul_(_signed(factor))
    return states ^ _logical_shift(states, _LAST_SHIFT)


def _logical_shift(states: Tensor, bits: int) -> Tensor:
    """Shift right and fill with zeros; torch's own shift repeats the sign."""
    return (states >> bits).bitwise_and_((1 << (64 - bits)) - 1)


def _mix(state: int) -> int:
    """`_mixed` for one Python integer, modulo 2^64."""
    state &= _MASK
    for shift, factor in _MIX:
        state = (state ^ (state >> shift)) * factor & _MASK
    return state ^ (state >> _LAST_SHIFT)


def _signed(state: int) -> int:
    """The int64 with the same bits."""
    state &= _MASK
    return state - (1 << 64) if state >> 63 else state
