"""One micro-batch on fake tensors: which tensors would be alive at the peak, and how large.

The roles are built on the meta device; here they get fake storages, which have a size and no
memory, and the real forward, loss and backward pass run over them. So every model that computes
without looking at its numbers is covered, with whatever autocast, checkpointing and adapters do. A
model whose layers are all alike is run with two and with three of them, and the rest is a straight
line. Left out: kernels' scratch memory, and GPU-only differences of autocast (layer norms in
float32).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from luciola.memory.ledger import BACKWARD, GRADIENTS, Ledger
from luciola.models.batch import Batch
from luciola.models.layout import Layout
from luciola.models.token_scores import as_on

Loss = Callable[[nn.Module, Batch], Tensor]


@dataclass(frozen=True)
class Load:
    """What a micro-batch holds at worst.

    Args:
        tokens: that the model computes.
        trained: of these, tokens whose logits are needed.
        accumulates: gradients of another micro-batch are there already.
    """

    tokens: int
    trained: int
    accumulates: bool = True


def simulate(roles: nn.Module, loss: Loss, load: Load) -> dict[str, int]:
    """Bytes by kind at the peak of one micro-batch, beside weights and what is kept between steps.

    Args:
        roles: on the meta device; given fake storages, so used up by this.
        loss: of the roles' outputs; scalar, carries the gradient.
        load: of the micro-batch.
    """
    with _quietly(), FakeTensorMode(allow_non_fake_inputs=True):
        roles.to_empty(device="cpu")
        for module in roles.modules():
            tie: Any = getattr(module, "tie_weights", None)
            if tie is not None:
                tie()
        batch = worst_batch(load)
        with as_on("cuda"):
            return measure(roles, loss, batch, accumulates=load.accumulates)


@contextmanager
def _quietly() -> Iterator[None]:
    """What cannot be followed raises; torch would print its trace besides."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def measure(
    roles: nn.Module, loss: Loss, batch: Batch, *, accumulates: bool = True
) -> dict[str, int]:
    """The same of whatever tensors the roles have; gradients are left as they were."""
    trained = [p for p in roles.parameters() if p.requires_grad]
    ledger = Ledger(roles, [batch.ids, *roles.buffers()])
    if accumulates:
        for parameter in trained:
            parameter.grad = torch.zeros_like(parameter)
        ledger._known |= {p.grad.untyped_storage()._cdata for p in trained if p.grad is not None}

    def booked(parameter: Tensor) -> None:
        if parameter.grad is not None:
            ledger.rebook(parameter.grad, GRADIENTS)

    hooks = [p.register_post_accumulate_grad_hook(booked) for p in trained]
    with ledger.watching():
        total = loss(roles, batch)
        with ledger.running(BACKWARD):
            if total.requires_grad:
                total.backward()
        del total
    for hook in hooks:
        hook.remove()
    for parameter in trained:
        parameter.grad = None
    return {kind: size for kind, size in ledger.at_peak.items() if size}


def worst_batch(load: Load) -> Batch:
    """One flat row of one segment, of as many tokens as it may have."""
    count, trained = load.tokens, load.trained
    place = torch.zeros(trained, dtype=torch.int64)
    ends = torch.zeros(2, dtype=torch.int32)
    ids = torch.zeros(1, count, dtype=torch.int64)
    return Batch(
        ids=ids,
        positions=torch.zeros_like(ids),
        mask=None,
        layout=Layout((count,), (-1,), ends, ends, None, count, count),
        rows=place,
        columns=torch.zeros_like(place),
        labels=torch.zeros_like(place),
        num_tokens=count,
        examples=(0,),
    )


def predict(
    build: Callable[[int | None], nn.Module], loss: Loss, load: Load, *, layers: int
) -> dict[str, int]:
    """Bytes by kind at the peak for a model of `layers` layers.

    Args:
        build: roles on the meta device, with so many layers; None: all.
        layers: how many the model has; 0: they are not alike, so that all must run.
    """
    if layers <= 3:
        return simulate(build(None), loss, load)
    two, three = (simulate(build(count), loss, load) for count in (2, 3))
    return extended(two, three, layers)


def extended(two: Mapping[str, int], three: Mapping[str, int], layers: int) -> dict[str, int]:
    """The straight line through two and three layers, at `layers`."""
    kinds = Counter(two) | Counter(three)
    line = {k: two.get(k, 0) + (layers - 2) * (three.get(k, 0) - two.get(k, 0)) for k in kinds}
    return {kind: size for kind, size in line.items() if size > 0}


def decoder_layers(model: nn.Module) -> list[tuple[nn.Module, str]]:
    """Where the model's lists of layers stand, as (parent, name); empty: they are not alike."""
    count = int(model.config.get_text_config().num_hidden_layers)  # type: ignore[operator, union-attr]
    found: list[tuple[nn.Module, str]] = []
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == count > 1:
                if len({_shape(layer) for layer in child}) > 1:
                    return []
                found.append((parent, name))
    return found


def keep_layers(model: nn.Module, count: int) -> None:
    """Take all but the first `count` layers out of a model."""
    for parent, name in decoder_layers(model):
        layers: Any = getattr(parent, name)
        setattr(parent, name, layers[:count])
    model.config.get_text_config().num_hidden_layers = count  # type: ignore[operator, union-attr]


def _shape(layer: nn.Module) -> tuple[Any, ...]:
    return tuple((name, tuple(p.shape), p.dtype) for name, p in layer.named_parameters())
