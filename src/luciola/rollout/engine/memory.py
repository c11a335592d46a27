"""How many rows the engine's cache gets, and how long each may be."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from luciola.rollout.engine.network import Network
from luciola.rollout.engine.slots import bytes_per_token
from luciola.rollout.rows import Row

SHARE = 0.5
"""Of a GPU's free memory, for keys and values."""
CPU_BYTES = 1 << 32
KEPT_SHARE = 1 / 16
"""Of a GPU's memory that may stay taken while nobody samples: a trainer needs the rest."""
KEPT_CPU_BYTES = 1 << 28


def capacity(network: Network, rows: Collection[Row], batch: int) -> tuple[int, int]:
    """Rows and tokens a row, prompt and answer together, for the rows that wait.

    Lengths are rounded up, so that the next call finds slots that are long enough.
    """
    device = network.embedding.device
    longest = max(len(row.prompt) + row.limit for row in rows)
    on_gpu = device.type == "cuda"
    unit = 256 if on_gpu else 64
    length = -(-longest // unit) * unit
    wanted = batch if on_gpu else min(batch, len(rows))
    fit = _bytes(device) // (bytes_per_token(network) * length)
    return max(1, min(wanted, fit)), length


def _bytes(device: torch.device) -> int:
    if device.type != "cuda":
        return CPU_BYTES
    free = torch.cuda.mem_get_info(device)[0]
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free * SHARE)


def worth_keeping(cache: Tensor) -> bool:
    """Whether the cache may stay where it is while nobody samples."""
    size = cache.numel() * cache.element_size()
    if cache.device.type != "cuda":
        return size <= KEPT_CPU_BYTES
    return size <= KEPT_SHARE * torch.cuda.get_device_properties(cache.device).total_memory
