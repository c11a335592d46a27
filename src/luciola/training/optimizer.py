"""AdamW over the trained parameters, and the running average of their values."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

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
    eps: float = 1e-8,
    lr_scales: Mapping[str, float] | None = None,
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused; or with 8-bit states (Dettmers et al. 2022).

    Vectors (norms, biases) are never decayed.

    Args:
        lr_scales: learning rate of the parameters that have the key as a part of their dotted name,
            as a multiple of the run's; 1 for all others.

    Raises: ConfigError if nothing is trained, or 8-bit states are asked for without a GPU.
    """
    if not parameters:
        raise ConfigError("nothing would be trained: no parameter requires a gradient")
    groups = _groups(parameters, lr, weight_decay, lr_scales or {})
    if kind == "adamw8bit":
        return _eight_bit(groups, lr, betas, eps, list(parameters.values()))
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, fused=True)


def _groups(
    parameters: Mapping[str, nn.Parameter],
    lr: float,
    weight_decay: float,
    lr_scales: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Parameters of one decay and one learning rate together, matrices before vectors."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for is_vector in (False, True):
        for name, parameter in parameters.items():
            if (parameter.ndim < 2) is is_vector:
                scale = next((v for k, v in lr_scales.items() if k in name.split(".")), 1.0)
                groups.setdefault((scale, is_vector), []).append(parameter)
    return [
        {
            "params": members,
            "weight_decay": 0.0 if is_vector else weight_decay,
            "lr": lr * scale,
            "lr_scale": scale,
        }
        for (scale, is_vector), members in groups.items()
    ]


def _eight_bit(
    groups: list[dict[str, Any]],
    lr: float,
    betas: tuple[float, float],
    eps: float,
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
    return AdamW8bit(groups, lr=lr, betas=betas, eps=eps)


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
