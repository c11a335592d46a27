"""Which of torch's attention kernels compute where shapes change from call to call.

On recent GPUs torch asks cuDNN first, which plans anew for every shape that it has not seen. While
an answer grows each token is a new shape: on an H100 60 ms a token, where the token itself takes
24. The flash and memory-efficient kernels plan nothing. Packed rows have a kernel of their own
(`luciola.models.attention`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def unplanned() -> Iterator[None]:
    """Attention without cuDNN, and afterwards as it was."""
    was = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(was)
