"""The worst step of a recipe on real tensors, to see how true its forecast was.

On a GPU the allocator's own figures count; elsewhere only the sizes of what lasts can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from luciola.config.online import OnlineConfig
from luciola.config.training import TrainingConfig
from luciola.memory.forecast import PEAK
from luciola.memory.simulation import Load, Loss, worst_batch
from luciola.methods.rehearsal import losses_of, roles_of
from luciola.models.batch import Batch
from luciola.rollout.weights import SamplingWeights
from luciola.training.optimizer import Average, build_optimizer


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
    found = {"weights": used.since([*model.parameters(), *model.buffers()])}
    device = next(model.parameters()).device
    with torch.device(device):
        roles = roles_of(config, model, autocast=autocast).to(device)
    trained = {n: p for n, p in roles.named_parameters() if p.requires_grad}
    found["adapters, heads, copies"] = used.since([*roles.parameters(), *roles.buffers()])
    if isinstance(config, OnlineConfig) and autocast:
        copied = SamplingWeights(roles.model, torch.bfloat16)
        found["copy to sample from"] = used.since(copied.model.parameters())
    optimizer = _with_states(config, trained)
    states = [v for state in optimizer.state.values() for v in state.values()]
    found["optimizer"] = used.since(v for v in states if isinstance(v, Tensor))
    average = Average(trained, config.ema) if config.ema else None
    if average is not None:
        found["average of the weights"] = used.since(average.values.values())
    if load.accumulates:
        for parameter in trained.values():
            parameter.grad = torch.zeros_like(parameter)
        found["gradients"] = used.since(p.grad for p in trained.values() if p.grad is not None)
    if device.type == "cuda":
        with torch.device(device):
            batch = worst_batch(load)
        found[PEAK] = _peak(roles, losses_of(config)["update"], batch, load)
    return {part: size for part, size in found.items() if size}


class _Used:
    """Bytes that came in since it was last asked: by the GPU's allocator; on a CPU those of the
    tensors named, if they are new.
    """

    def __init__(self) -> None:
        self.before = 0
        self.seen: dict[int, int] = {}
        if torch.cuda.is_available():
            self.before = torch.cuda.memory_allocated()

    def since(self, tensors: Iterable[Tensor]) -> int:
        """Bytes since the last call."""
        storages = [tensor.untyped_storage() for tensor in tensors]
        new = {one._cdata: one.nbytes() for one in storages if one._cdata not in self.seen}
        self.seen |= new
        if not torch.cuda.is_available():
            return sum(new.values())
        now = torch.cuda.memory_allocated()
        made, self.before = now - self.before, now
        return made


def _with_states(
    config: TrainingConfig, parameters: dict[str, nn.Parameter]
) -> torch.optim.Optimizer:
    """The optimizer after a step that changed nothing."""
    optimizer = build_optimizer(
        parameters, kind=config.optimizer, lr=0.0, betas=config.betas, weight_decay=0.0
    )
    for parameter in parameters.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return optimizer


def _peak(roles: nn.Module, loss: Loss, batch: Batch, load: Load) -> int:
    """Bytes of all tensors at the peak; of the second of two steps, since the first brings what
    libraries keep for themselves.
    """
    for _ in range(2):
        if not load.accumulates:
            roles.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        loss(roles, batch).backward()
        torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()
