"""The small things that classic scripts import beside the trainer."""

from __future__ import annotations

import random

import numpy as np
import torch

from luciola.compat.trl.errors import ClassicError


class LengthSampler:
    """Draws a length from min_value up to, and not including, max_value, from numpy's global
    generator.
    """

    def __init__(self, min_value: int, max_value: int) -> None:
        if not min_value < max_value:
            raise ClassicError(
                f"LengthSampler({min_value}, {max_value}) has no length to draw",
                remedy="The upper end is excluded: LengthSampler(2, 8) gives 2 to 7.",
            )
        self.values = list(range(min_value, max_value))

    def __call__(self) -> int:
        return int(np.random.choice(self.values))


def set_seed(seed: int) -> None:
    """Seed the global generators of python, numpy and torch, on every device."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
