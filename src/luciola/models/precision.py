"""In what arithmetic a run computes, and in what type it keeps its weights."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import torch

log = logging.getLogger(__name__)


Autocast = torch.dtype | bool
"""Type of products where that is safe; True: bfloat16; False: that of the weights."""


@dataclass(frozen=True)
class Precision:
    """How numbers are kept and multiplied.

    Args:
        weights: type of the frozen weights; what is trained is always float32.
        autocast: in which half type products are computed, if in any.
    """

    weights: torch.dtype
    autocast: Autocast

    @property
    def compute(self) -> torch.dtype:
        """The half type of products; bfloat16 where the run has none, for weights in few bits."""
        return torch.float16 if self.scales_losses else torch.bfloat16

    @property
    def scales_losses(self) -> bool:
        """Whether gradients need a scaled loss, since float16 loses small ones."""
        return self.autocast == torch.float16

    def __str__(self) -> str:
        if not self.autocast:
            return "fp32"
        name = "fp16" if self.scales_losses else "bf16"
        return name if self.weights == self.compute else f"{name} over fp32 weights"


def computing(device: torch.device, autocast: Autocast) -> torch.autocast:
    """Within it products have the type that `autocast` says."""
    half = torch.bfloat16 if isinstance(autocast, bool) else autocast
    return torch.autocast(device.type, half, enabled=bool(autocast))


def choose_precision(
    wanted: Literal["auto", "bf16", "fp16", "fp32"], device: torch.device, *, full: bool
) -> Precision:
    """The precision of a run.

    Args:
        wanted: "auto": bfloat16 where the device multiplies it in hardware.
        device: where the run computes.
        full: every weight is trained: they stay float32, as small steps would be lost in half.
    """
    if wanted == "auto":
        wanted = "bf16" if computes_bfloat16(device) else "fp32"
        if wanted == "fp32" and device.type == "cuda":
            log.info("this GPU does not compute bf16: precision=fp16 is faster and takes less")
    if wanted == "fp32":
        return Precision(torch.float32, False)
    half = torch.float16 if wanted == "fp16" else torch.bfloat16
    return Precision(torch.float32 if full else half, half if wanted == "fp16" else True)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16 products."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, bool)() for name in probes)
    return False
