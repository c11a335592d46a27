"""Graphics cards by name, and the one at hand."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from luciola.errors import ConfigError

GIB = 1 << 30
CUDA_BYTES = 753 << 20
"""CUDA's context, its libraries' code and cuBLAS's workspace; outside of torch's tensors. Measured
on an H100 with CUDA 13.
"""
SLACK = 0.04
"""Share of a card that the allocator loses to rounding and to holes between tensors."""

SIZES: dict[str, float] = {
    "t4": 14.6,
    "rtx3060": 11.6,
    "rtx3080": 9.6,
    "rtx3090": 23.6,
    "rtx4060ti": 15.6,
    "rtx4080": 15.6,
    "rtx4090": 23.5,
    "rtx5090": 31.4,
    "l4": 22.0,
    "a10": 22.1,
    "a6000": 47.5,
    "l40s": 44.5,
    "v100": 31.7,
    "a100-40": 39.4,
    "a100": 79.2,
    "h100": 79.2,
    "h200": 139.8,
    "b200": 178.3,
}
"""GiB that a program sees on each card, as its driver says."""


@dataclass(frozen=True)
class Card:
    """A card a run should fit.

    Args:
        name: as a person says it.
        total_bytes: of its memory.
        has_bfloat16: whether it multiplies bfloat16 in hardware.
    """

    name: str
    total_bytes: int
    has_bfloat16: bool = True

    @property
    def usable_bytes(self) -> int:
        """What a run's tensors may take at their peak."""
        return int(self.total_bytes * (1 - SLACK)) - CUDA_BYTES


def named_card(name: str) -> Card:
    """A card of the table, or one of any size, written 24GB.

    Raises: ConfigError if the name is neither.
    """
    key = name.lower().replace(" ", "").replace("_", "-").removeprefix("nvidia-")
    if key in SIZES:
        return Card(name, int(SIZES[key] * GIB), key not in ("t4", "v100"))
    number = key.removesuffix("gib").removesuffix("gb").removesuffix("g")
    if number != key and number.replace(".", "", 1).isdigit() and float(number) > 0:
        return Card(name, int(float(number) * GIB))
    near = get_close_matches(key, SIZES, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise ConfigError(
        f"--card: {name!r} is no card that is known here",
        remedy=f"{meant}Known are {', '.join(SIZES)}; or give a size: --card 24GB.",
    )


def card_at_hand() -> Card | None:
    """The first GPU of this machine; None: there is none."""
    import torch

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    capable = torch.cuda.is_bf16_supported(including_emulation=False)
    return Card(properties.name, properties.total_memory, capable)
