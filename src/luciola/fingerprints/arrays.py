"""Arrays and tensors by their bytes; numpy and torch are looked at only where they are loaded."""

from __future__ import annotations

import sys
from typing import Any

from luciola.fingerprints.walk import Walk


def array_digest(walk: Walk, value: Any, path: str) -> bytes | None:
    """Type, shape and bytes of a numpy array or scalar, or a tensor; None for anything else."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray):
        if type(value) not in (numpy.ndarray, numpy.memmap) and not isinstance(
            value, numpy.generic
        ):
            return None  # a subclass may hold more
        array = numpy.asarray(value)
        if array.dtype.hasobject:
            return walk.hash("objects", str(array.shape).encode(), *walk.each(array.flat, path))
        described = f"{type(value).__name__} {array.dtype.descr} {array.shape}"
        return walk.hash("array", described.encode(), array.tobytes())
    if torch is not None and isinstance(value, torch.Tensor):
        return _tensor(walk, value, path)
    if torch is not None and isinstance(value, torch.Generator):
        return walk.hash("generator", value.get_state().numpy().tobytes())
    return None


def _tensor(walk: Walk, value: Any, path: str) -> bytes:
    import torch

    described = f"{type(value).__name__} {value.dtype} {tuple(value.shape)} {value.requires_grad}"
    try:
        plain = value.detach().to("cpu").to_dense().contiguous().flatten().view(torch.uint8)
        return walk.hash("tensor", described.encode(), plain.numpy().tobytes())
    except (RuntimeError, NotImplementedError, TypeError):  # on the meta device, quantised, ...
        return walk.unreadable(value, path)
