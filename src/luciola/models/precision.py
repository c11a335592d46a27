"""In what arithmetic a run computes, and in what type it keeps its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch


@dataclass(frozen=True)
class Precision:
    """How numbers are kept and multiplied.

    Args:
        weights: type of the frozen weights; what is trained is always float32.
        autocast: whether products are computed in bfloat16.
    """

    weights: torch.dtype
    autocast: bool

    def __str__(self) -> str:
        if not self.autocast:
            return "fp32"
        return "bf16" if self.weights == torch.bfloat16 else "bf16 over fp32 weights"


def choose_precision(
    wanted: Literal["auto", "bf16", "fp32"], device: torch.device, *, full: bool
) -> Precision:
    """The precision of a run.

    Args:
        wanted: "auto": bfloat16 where the device multiplies it in hardware.
        device: where the run computes.
        full: every weight is trained: they stay float32, as small steps would be lost in bfloat16.
    """
    half = computes_bfloat16(device) if wanted == "auto" else wanted == "bf16"
    return Precision(torch.bfloat16 if half and not full else torch.float32, half)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16 products."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, bool)() for name in probes)
    return False
