"""Whether the engine's kernels can run where a model is."""

from __future__ import annotations

import importlib.util

import torch


def has_kernels(device: torch.device) -> bool:
    """A GPU, and Triton, which comes with torch's builds for Linux."""
    return device.type == "cuda" and importlib.util.find_spec("triton") is not None
