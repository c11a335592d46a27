"""What rounding does to weights: the step between two neighbours of a type, noise as large as a
rounding makes it, and float32 arithmetic over weights that are kept in 16 bits.

A rounding moves a weight by at most half a step, and where within that half step is as good as
random. So noise drawn from the same interval moves a model's outputs about as far as the rounding
does, which tells a rounding from a mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from luciola.seeds import seed

Step = Callable[[Tensor], Tensor]
"""From float32 weights to the distance between the neighbours that each can be rounded to."""

Q8_BLOCK = 32
Q8_LEVELS = 127


def float_step(dtype: torch.dtype) -> Step:
    """The steps of a floating-point type: ε·2^⌊log2 |w|⌋, and the smallest subnormal near zero."""
    info = torch.finfo(dtype)

    def step(weight: Tensor) -> Tensor:
        normal = weight.abs().clamp_min(info.tiny)
        _, exponent = torch.frexp(normal)  # |w| = m · 2^exponent with m in [0.5, 1)
        return torch.ldexp(torch.full_like(weight, info.eps), exponent - 1)

    return step


def q8_step(weight: Tensor) -> Tensor:
    """The steps of llama.cpp's Q8_0: in each block of 32 along a row, the largest |w| over 127."""
    blocks = weight.reshape(*weight.shape[:-1], -1, Q8_BLOCK)
    largest = blocks.abs().amax(-1, keepdim=True)
    return (largest / Q8_LEVELS).expand_as(blocks).reshape(weight.shape)


def noisy(weight: Tensor, step: Step, name: str) -> Tensor:
    """Float32 weights moved by up to half a step, uniformly; which way follows from the name."""
    generator = torch.Generator(weight.device).manual_seed(seed(0, "rounding", name))
    random = torch.rand(weight.shape, generator=generator, device=weight.device)
    return weight + (random - 0.5) * step(weight)


@contextmanager
def in_float32(model: nn.Module, noise: Mapping[str, Step] | None = None) -> Iterator[None]:
    """Within it the model computes in float32, whatever type its weights are kept in.

    Each module's own weights are widened just before it runs and put back after, so that no more
    than one layer is held twice.

    Args:
        model: any module; its weights are the same afterwards.
        noise: by the name of a parameter, the steps of the rounding to imitate.
    """
    noise = noise or {}
    names = {id(p): name for name, p in model.named_parameters()}
    handles = []
    for module in model.modules():
        own = {names[id(p)]: p for p in module.parameters(recurse=False) if p.is_floating_point()}
        if any(p.dtype != torch.float32 or name in noise for name, p in own.items()):
            before, after = _widening(own, noise)
            handles += [
                module.register_forward_pre_hook(before),
                module.register_forward_hook(after, always_call=True),
            ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _widening(
    own: Mapping[str, nn.Parameter], noise: Mapping[str, Step]
) -> tuple[Callable[..., None], Callable[..., None]]:
    """The hooks that widen a module's weights before it runs and put them back after."""
    kept: dict[str, Tensor] = {}

    def before(_module: nn.Module, _inputs: Any) -> None:
        for name, parameter in own.items():
            kept[name] = parameter.data
            wide = parameter.data.float()
            parameter.data = noisy(wide, noise[name], name) if name in noise else wide

    def after(*_: Any) -> None:
        for name, parameter in own.items():
            if name in kept:
                parameter.data = kept.pop(name)

    return before, after
