"""AdamW over the trained parameters, and the running average of their values."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from luciola.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator


def build_optimizer(
    parameters: Mapping[str, nn.Parameter],
    *,
    kind: Literal["adamw", "adamw8bit"],
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused; or with 8-bit states (Dettmers et al. 2022).

    Vectors (norms, biases) are never decayed.

    Raises: ConfigError if nothing is trained, or 8-bit states are asked for without a GPU.
    """
    if not parameters:
        raise ConfigError("nothing would be trained: no parameter requires a gradient")
    matrices = [p for p in parameters.values() if p.ndim >= 2]
    vectors = [p for p in parameters.values() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if kind == "adamw8bit":
        return _eight_bit(groups, lr, betas, matrices + vectors)
    return torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True)


def _eight_bit(
    groups: list[dict[str, object]],
    lr: float,
    betas: tuple[float, float],
    parameters: list[nn.Parameter],
) -> torch.optim.Optimizer:
    if not parameters[0].is_cuda:
        raise ConfigError(
            "optimizer=adamw8bit needs a GPU, and this run is on the CPU",
            remedy="Use optimizer=adamw.",
        )
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError:
        raise MissingExtraError(
            "bitsandbytes", extra="quantized", purpose="optimizer=adamw8bit"
        ) from None
    return AdamW8bit(groups, lr=lr, betas=betas)


class Average:
    """Exponential moving average of the trained parameters: a <- d·a + (1 - d)·w after each step.

    Early on the decay is min(d, (1 + t) / (10 + t)), so that the start is forgotten.
    Args:
        parameters: the trained parameters by name.
        decay: d, below 1.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self._parameters = dict(parameters)
        self.values = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are now."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        current = [p.detach() for p in self._parameters.values()]
        torch._foreach_lerp_(list(self.values.values()), current, 1 - decay)
        self.steps += 1

    def restore(self, values: Mapping[str, Tensor], steps: int) -> None:
        """Go on from saved values, after `steps` updates."""
        self.values = {n: values[n].to(p.device) for n, p in self._parameters.items()}
        self.steps = steps

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the parameters hold the average."""
        kept = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._load(self.values)
        try:
            yield
        finally:
            self._load(kept)

    @torch.no_grad()
    def _load(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self._parameters.items():
            parameter.copy_(values[name])
