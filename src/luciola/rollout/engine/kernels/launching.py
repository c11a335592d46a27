"""How kernels follow each other: one may be put in place while the one before still runs, and wait
inside for its results (programmatic dependent launch, on Hopper cards and newer).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra import cuda


@triton.jit
def follow(EARLY: tl.constexpr):
    """Let the next kernel be put in place once the one before is done; first thing in a kernel."""
    if EARLY:
        cuda.gdc_wait()
        cuda.gdc_launch_dependents()  # not before: kernels would pile up, and wait on the card


OVERLAP = False
"""Whether they do: slower by half where the next was let in before the wait (H100)."""


def early(x: Tensor) -> dict[str, Any]:
    """Options of a launch on x's device."""
    if OVERLAP and x.is_cuda and _knows_early(x.device):
        return {"EARLY": True, "launch_pdl": True}
    return {"EARLY": False}


@cache
def _knows_early(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (9, 0)
