"""The worst step of a recipe on real tensors, to see how true its forecast was.

On a GPU the allocator's own figures count; elsewhere only the sizes of what lasts can be compared.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from luciola.config.online import OnlineConfig
from luciola.config.training import TrainingConfig
from luciola.memory.simulation import Load, Loss, worst_batch
from luciola.methods.planning import losses_of, roles_of
from luciola.rollout.weights import SamplingWeights
from luciola.training.optimizer import Average, build_optimizer

TENSORS = "tensors at the peak"


def measure_step(
    config: TrainingConfig, load_model: Callable[[], Any], load: Load, *, autocast: bool
) -> dict[str, int]:
    """Bytes by part on the current device, and of all tensors at the peak on a GPU.

    Args:
        load_model: loads or builds the bare model on the device, with attention for flat rows.
        load: of the micro-batch.
        autocast: products in bfloat16.
    """
    used = _Used()
    model = load_model()
    device = next(model.parameters()).device
    found = {"weights": used.since()}
    with torch.device(device):
        roles = roles_of(config, model, autocast=autocast).to(device)
    found["further weights"] = used.since()
    copied: Any = None
    if isinstance(config, OnlineConfig) and autocast:
        copied = SamplingWeights(roles.model, torch.bfloat16)
        found["copy to sample from"] = used.since()
    optimizer = _with_states(config, roles)
    found["optimizer"] = used.since()
    parameters = {n: p for n, p in roles.named_parameters() if p.requires_grad}
    average = Average(parameters, config.ema) if config.ema else None
    if average is not None:
        found["average of the weights"] = used.since()
    if load.accumulates:
        for parameter in parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        found["gradients"] = used.since()
    if device.type == "cuda":
        with torch.device(device):
            batch = worst_batch(load)
        found[TENSORS] = _peak(roles, losses_of(config)["update"], batch)
    del optimizer, copied
    return {part: size for part, size in found.items() if size}


class _Used:
    """Bytes allocated since it was last asked; on a CPU of all tensors that are alive."""

    def __init__(self) -> None:
        self.before = self._now()

    def _now(self) -> int:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
            return torch.cuda.memory_allocated()
        return _alive_bytes()

    def since(self) -> int:
        """Bytes since the last call."""
        now = self._now()
        made, self.before = now - self.before, now
        return made


def _alive_bytes() -> int:
    gc.collect()
    tensors = [o for o in gc.get_objects() if issubclass(type(o), torch.Tensor) and not o.is_meta]
    storages = [tensor.untyped_storage() for tensor in tensors]
    return sum({one._cdata: one.nbytes() for one in storages}.values())


def _with_states(config: TrainingConfig, roles: nn.Module) -> torch.optim.Optimizer:
    """The optimizer after a step that changed nothing."""
    parameters = {n: p for n, p in roles.named_parameters() if p.requires_grad}
    optimizer = build_optimizer(
        parameters, kind=config.optimizer, lr=0.0, betas=config.betas, weight_decay=0.0
    )
    for parameter in parameters.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return optimizer


def _peak(roles: nn.Module, loss: Loss, batch: Any) -> int:
    """Bytes of all tensors at the peak; the second of two steps, as libraries take theirs in the
    first.
    """
    for _ in range(2):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        loss(roles, batch).backward()
        torch.cuda.synchronize()
        if not batch:  # pragma: no cover
            break
    return torch.cuda.max_memory_allocated()
