"""Log-probability, best token, entropy and KL of many tokens, without the logits of all of them.

Logits are computed for some tokens at a time, read, and forgotten; the backward pass computes them
again. So float32 logits exist for one piece only: with every token trained they were more than half
of all memory (16 x 1,024 tokens of a vocabulary of 49,152: 3.2 GB, several times over).

Precision: a product's outputs are as the head gives them (bfloat16 under autocast); softmax, its
sum, and all that is read of it are float32; the gradient of the logits is rounded to the type of
the product, as autograd does; the pieces' gradients of the head's weight are added up in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from luciola.models.head import Head
from luciola.models.logit_arithmetic import Read, Wanted, compiled, gradient_of, read_logits, wide
from luciola.models.plain_linear import plain_linear

CELLS = {"cpu": 1 << 23, "cuda": 1 << 26}
"""Logits computed at once: few enough to be small, enough to keep the device busy."""
FEWEST = {"cpu": 32, "cuda": 512}
"""Tokens computed at once at the least, since each piece reads the whole head."""

_simulated: ContextVar[str] = ContextVar("simulated", default="")


@dataclass(frozen=True)
class TokenScores:
    """What is known of N tokens.

    Args:
        logprobs: (N,) float32 log-probability of each target, in nats; carries the gradient.
        target_logits: (N,) float32 logit of each target, at the temperature.
        best: (N,) int64, the most likely token; None: not asked for.
        entropies: (N,) float32, in nats.
        kls: (N,) float32, Σ p · (log p - log q) to the reference over the whole vocabulary.
    """

    logprobs: Tensor
    target_logits: Tensor
    best: Tensor | None = None
    entropies: Tensor | None = None
    kls: Tensor | None = None


class Reference(NamedTuple):
    """What the KL is to: (N, H) inputs of a head, whose logits carry no gradient here."""

    inputs: Tensor
    head: Head


def token_scores(
    inputs: Tensor,
    head: Head,
    targets: Tensor,
    *,
    wanted: Wanted | None = None,
    reference: Reference | None = None,
    tokens_at_once: int = 0,
) -> TokenScores:
    """Scores of the targets under the head's logits, piece by piece; see the module's docstring.

    Args:
        inputs: (N, H) what the head takes; carries the gradient.
        head: as `models.head.read` gives it.
        targets: (N,) int64 token ids.
        wanted: what else, and at which temperature.
        reference: for the KL; at the same temperature.
        tokens_at_once: of a piece; 0: as the device and the vocabulary suggest.

    Raises: ValueError if the shapes do not fit.
    """
    if inputs.ndim != 2 or targets.shape != inputs.shape[:1]:
        raise ValueError(f"inputs (N, H) and targets (N,), got {inputs.shape}, {targets.shape}")
    wanted = wanted or Wanted()
    linear = plain_linear(head)
    if linear is None:
        width = vocabulary_of(head, inputs)
        size = tokens_at_once or piece(width, inputs.device.type)
        return _by_autograd(inputs, head, targets, wanted, reference, size)
    weight, bias = linear
    size = tokens_at_once or piece(len(weight), inputs.device.type)
    work = _Work(head, wanted, reference, size)
    return TokenScores(*_Linear.apply(inputs, weight, bias, targets, work))


def vocabulary_of(head: Head, inputs: Tensor) -> int:
    """V, of a head of any kind."""
    module: Any = head.module
    if module is None:
        return int(inputs.shape[1])
    found = getattr(module, "out_features", None) or len(module.weight)
    return int(found)


def piece(vocabulary: int, device: str) -> int:
    """Tokens computed at once."""
    device = _simulated.get() or device
    kind = device if device in CELLS else "cuda"
    return max(CELLS[kind] // vocabulary, FEWEST[kind])


@contextmanager
def as_on(device: str) -> Iterator[None]:
    """Within it pieces have the size that they have on another kind of device."""
    before = _simulated.set(device)
    try:
        yield
    finally:
        _simulated.reset(before)


def pieces(count: int, size: int) -> list[slice]:
    """Slices of about the same length, none longer than `size`; one at least."""
    number = max(1, -(-count // size))
    borders = [count * i // number for i in range(number + 1)]
    return [slice(a, b) for a, b in pairwise(borders)]


@dataclass(frozen=True)
class _Work:
    """What the pieces of one call have in common."""

    head: Head
    wanted: Wanted
    reference: Reference | None
    size: int

    @torch.no_grad()
    def reference_logprobs(self, at: slice) -> Tensor | None:
        """(n, V) of the reference."""
        if self.reference is None:
            return None
        head = self.reference.head
        logits = head.finish.finished(head.logits(self.reference.inputs[at]))
        logits = logits.to(wide(logits)) / self.wanted.temperature
        return F.log_softmax(logits, -1)

    def read(self, logits: Tensor, targets: Tensor, at: slice) -> Read:
        """What is known of the targets of a piece."""
        function = compiled(read_logits) if self.head.compiled else read_logits
        found: Read = function(
            logits, targets[at], self.head.finish, self.wanted, self.reference_logprobs(at)
        )
        return found


def _by_autograd(
    inputs: Tensor,
    head: Head,
    targets: Tensor,
    wanted: Wanted,
    reference: Reference | None,
    size: int,
) -> TokenScores:
    """For heads that are more than a product (adapters, few bits), and for logits."""
    work = _Work(head, wanted, reference, size)
    kind = inputs.device.type

    def one(states: Tensor, at: slice) -> Read:
        with torch.autocast(kind, enabled=False):
            return work.read(head.logits(states), targets, at)

    found = []
    slices = pieces(len(inputs), size)
    lengths = [at.stop - at.start for at in slices]
    for states, at in zip(inputs.split(lengths), slices, strict=True):
        if torch.is_grad_enabled():
            found.append(checkpoint(one, states, at, use_reentrant=False))
        else:
            found.append(one(states, at))
    return TokenScores(*_joined(found))


def _joined(found: list[Read]) -> Read:
    """The columns of all pieces."""
    columns = zip(*found, strict=True)
    return tuple(None if c[0] is None else torch.cat(c) for c in columns)  # type: ignore[return-value]


class _Linear(torch.autograd.Function):
    """`read_logits` of F.linear(inputs, weight, bias), some tokens at a time."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        work: _Work,
    ) -> Read:
        with torch.autocast(inputs.device.type, enabled=False):
            product = _Product(inputs, weight, bias, work.head)
            found = [
                work.read(product.logits(at), targets, at) for at in pieces(len(inputs), work.size)
            ]
        logprobs, logits, best, entropies, kls = _joined(found)
        ctx.save_for_backward(inputs, weight, bias, targets, entropies, kls)
        ctx.work = work
        ctx.set_materialize_grads(False)
        if best is not None:
            ctx.mark_non_differentiable(best)
        return logprobs, logits, best, entropies, kls

    @staticmethod
    def backward(ctx: Any, *outer: Tensor | None) -> tuple[Tensor | None, ...]:
        inputs, weight, bias, targets, entropies, kls = ctx.saved_tensors
        work: _Work = ctx.work
        of = (outer[0], outer[1], outer[3], outer[4])
        with torch.autocast(inputs.device.type, enabled=False), torch.no_grad():
            product = _Product(inputs, weight, bias, work.head)
            sums = _Sums(product, ctx.needs_input_grad[:3])
            function = compiled(gradient_of) if work.head.compiled else gradient_of
            for at in pieces(len(inputs), work.size):
                gradient = function(
                    product.logits(at),
                    targets[at],
                    work.head.finish,
                    work.wanted,
                    tuple(_at(one, at) for one in of),
                    (_at(entropies, at), _at(kls, at)),
                    work.reference_logprobs(at),
                )
                sums.add(at, gradient)
        made = sums.finished(inputs.dtype, weight.dtype, None if bias is None else bias.dtype)
        return *made, None, None


def _at(column: Tensor | None, at: slice) -> Tensor | None:
    return None if column is None else column[at]


class _Product:
    """A linear layer in the type that autocast would compute it in."""

    def __init__(self, inputs: Tensor, weight: Tensor, bias: Tensor | None, head: Head) -> None:
        kind = head.autocast or weight.dtype
        self.inputs, self.weight = inputs.to(kind), weight.to(kind)
        self.bias = None if bias is None else bias.to(kind)

    def logits(self, at: slice) -> Tensor:
        """(n, V) of some tokens."""
        return F.linear(self.inputs[at], self.weight, self.bias)


class _Sums:
    """Gradients of inputs, weight and bias, as far as they are needed."""

    def __init__(self, product: _Product, needed: tuple[bool, ...]) -> None:
        self.product = product
        kind = wide(product.weight)
        self.inputs = torch.empty_like(product.inputs) if needed[0] else None
        self.weight = torch.zeros_like(product.weight, dtype=kind) if needed[1] else None
        self.bias = None
        if product.bias is not None and needed[2]:
            self.bias = torch.zeros_like(product.bias, dtype=kind)

    def add(self, at: slice, gradient: Tensor) -> None:
        """Those of one piece, from that of its logits."""
        if self.inputs is not None:
            self.inputs[at] = gradient @ self.product.weight
        if self.weight is not None and self.weight.dtype == gradient.dtype:
            self.weight.addmm_(gradient.t(), self.product.inputs[at])
        elif self.weight is not None:
            self.weight += gradient.t() @ self.product.inputs[at]
        if self.bias is not None:
            self.bias += gradient.sum(0, dtype=self.bias.dtype)

    def finished(
        self, inputs: torch.dtype, weight: torch.dtype, bias: torch.dtype | None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Each in the type of what it is the gradient of."""
        kinds = (inputs, weight, bias)
        found = (self.inputs, self.weight, self.bias)
        return tuple(  # type: ignore[return-value]
            None if made is None else made.to(kind) for made, kind in zip(found, kinds, strict=True)
        )
