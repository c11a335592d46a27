"""One optimizer step; the only backward pass in the project."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from luciola.errors import TrainingError
from luciola.seeds import seed
from luciola.training.method import B, Method, Term
from luciola.training.world import World


class MicroBatchTooLargeError(torch.OutOfMemoryError):
    """The device's memory ran out in a forward or backward pass; nothing was changed by it."""


def release_memory() -> None:
    """Give back what the allocator keeps for later, so that other sizes find room."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class Sums:
    """Terms added up over micro-batches, without their gradients."""

    def __init__(self) -> None:
        self.terms: dict[str, Term] = {}

    def add(self, terms: Mapping[str, Term]) -> None:
        """Add one micro-batch's terms."""
        for name, term in terms.items():
            value = term.sum.detach()
            if name in self.terms:
                value = value + self.terms[name].sum
            self.terms[name] = Term(value, term.per, term.scale)


def optimizer_step(
    method: Method[B],
    micro_batches: Sequence[B],
    optimizer: torch.optim.Optimizer,
    world: World,
    *,
    step: int,
    run_seed: int,
    max_grad_norm: float,
    scaler: torch.amp.GradScaler | None = None,
) -> dict[str, float]:
    """One optimizer step over `micro_batches`; returns metrics as plain floats.

    Every term is divided by the total of its own weight (tokens, states, pairs) over all
    micro-batches and all processes, known before the first backward: with a mean per micro-batch, a
    token in a short one would count for more than a token in a long one.

    With a `scaler` a gradient that is too large for float16 changes no weight: the step is skipped
    and the scale halved.

    Raises:
        TrainingError: the loss or the gradient is not a finite number; the weights are untouched.
        MicroBatchTooLargeError: memory ran out before the weights were touched.
    """
    totals = world.total(method.weights(batch) for batch in micro_batches)
    sums = Sums()
    address = (run_seed, "noise", step)
    full = _accumulate(method, micro_batches, world, totals, sums, address, scaler)
    if world.any(bool(full)):
        full = full or "in another process"
        optimizer.zero_grad(set_to_none=True)
        raise MicroBatchTooLargeError(full)
    world.exchange(method.roles)
    scale = unscale(optimizer, scaler)
    norm = gradient_norm(optimizer)
    means = world.means(sums.terms, totals, {"grad_norm": norm})  # the one wait for the device
    means["tokens"] = totals.get("tokens", 0.0)
    overflows = scale > 1 and math.isfinite(means["loss"]) and not math.isfinite(means["grad_norm"])
    if overflows:
        means["grad_norm"] = 0.0
    if scaler is not None:
        means |= {"fp16/scale": scale, "fp16/skipped": float(overflows)}
    if not (math.isfinite(means["loss"]) and math.isfinite(means["grad_norm"])):
        optimizer.zero_grad(set_to_none=True)
        raise TrainingError(
            f"the loss is {means['loss']} and the gradient's norm {means['grad_norm']} "
            f"at step {step + 1}, in the batch of {method.describe(micro_batches)}",
            remedy="Look at these examples with `luciola data show`; "
            "try a smaller lr or precision=fp32.",
        )
    if not overflows and method.accepts(means):
        scale_gradients(optimizer, means["grad_norm"], max_grad_norm)
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    method.after_step(means)  # before the checkpoint, so that it is in the checkpoint
    return means


def _accumulate(
    method: Method[B],
    micro_batches: Sequence[B],
    world: World,
    totals: Mapping[str, float],
    sums: Sums,
    address: tuple[int | str, ...],
    scaler: torch.amp.GradScaler | None,
) -> str:
    """Gradients and sums of every micro-batch; returns what torch said where memory ran out, else
    "". The error itself holds every frame, and with it the tensors that must go.
    """
    try:
        for index, batch in enumerate(micro_batches):
            torch.manual_seed(seed(*address, index, world.rank))
            last = index + 1 == len(micro_batches)
            with world.synchronised(method.roles, last=last):
                terms = method.loss(batch)
                objective = _objective(terms, totals)
                world.backward(objective if scaler is None else scaler.scale(objective))
            sums.add(terms)
    except torch.OutOfMemoryError as error:
        return str(error) or "out of memory"
    return ""


def _objective(terms: Mapping[str, Term], totals: Mapping[str, float]) -> Tensor:
    parts = [t.scale * t.sum / max(totals[t.per], 1.0) for t in terms.values() if t.scale]
    return torch.stack(parts).sum()


def gradients(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Every gradient the optimizer is about to use."""
    parameters: list[nn.Parameter] = [p for g in optimizer.param_groups for p in g["params"]]
    return [p.grad for p in parameters if p.grad is not None]


def unscale(optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler | None) -> float:
    """Divide the gradients by the loss's scale, and settle the next step's; returns this step's."""
    if scaler is None:
        return 1.0
    scale = scaler.get_scale()
    scaler.unscale_(optimizer)
    scaler.update()
    return scale


def gradient_norm(optimizer: torch.optim.Optimizer) -> Tensor:
    """Euclidean norm of all gradients together; of sharded ones over all shards."""
    norm: Any = torch.nn.utils.get_total_norm(gradients(optimizer))
    whole: Tensor = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
    return whole


def scale_gradients(optimizer: torch.optim.Optimizer, norm: float, limit: float) -> None:
    """Scale all gradients by limit / norm where the norm is larger (0: never). Pascanu et al.
    2013.
    """
    if limit and norm > limit:
        torch._foreach_mul_(gradients(optimizer), float(limit / torch.tensor(norm)))
