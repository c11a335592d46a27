"""The output head of a language model apart from its body: what it reads, and how that becomes
logits.

`read` runs the body only and gives the states that enter the head, so that `token_scores` may
compute logits piece by piece. What a model does to its logits after the head (a factor, a soft cap)
is taken from its config, and the model is asked once whether that is all. One that does something
else, or has no head that is a module, is read as a whole: then the "states" are its own logits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from luciola.models.batch import Batch, kept_columns, model_inputs, pick
from luciola.models.switching import UNSWITCHED, Switch, switched

log = logging.getLogger(__name__)

CAPS = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
FACTORS = ("logit_scale", "lm_head_multiplier")
DIVISORS = ("logits_scaling",)
"""How the configs of transformers call what is done to logits (Gemma, xLSTM; Cohere, Falcon H1;
Granite)."""

_plain: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
"""Models that were asked, and whether their logits are what `Head` says."""


@dataclass(frozen=True)
class Finish:
    """What comes behind the head: cap · tanh(factor · logits / divisor / cap); no cap: None."""

    factor: float = 1.0
    divisor: float = 1.0
    cap: float | None = None

    def finished(self, logits: Tensor) -> Tensor:
        """Factor and cap, in the type of the logits, as the models do it."""
        if self.factor != 1:
            logits = logits * self.factor
        if self.divisor != 1:
            logits = logits / self.divisor
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap

    def unfinished(self, gradient: Tensor, finished: Tensor) -> Tensor:
        """The gradient of the head's outputs from that of `finished`."""
        if self.cap is not None:
            gradient = gradient * (1 - (finished.to(gradient.dtype) / self.cap).square())
        ratio = self.factor / self.divisor
        return gradient if ratio == 1 else gradient * ratio


@dataclass(frozen=True)
class Head:
    """How states become logits: what comes behind `module`, of its outputs.

    It holds all it takes to compute the same again in the backward pass: the type of products, and
    which adapters act.

    Args:
        module: (…, H) -> (…, V); None: the states are logits already.
        finish: what comes behind it.
        autocast: type of the products; None: that of the weights.
        switch: which adapters act in it.
        compiled: the arithmetic on logits is to be compiled, as the model's layers are.
    """

    module: nn.Module | None
    finish: Finish = Finish()
    autocast: torch.dtype | None = None
    switch: Switch = UNSWITCHED
    compiled: bool = False

    def logits(self, states: Tensor) -> Tensor:
        """(N, V) of (N, H) in the type of the products, before `finish`."""
        if self.module is None:
            return states
        with self.switch.again(), uncached(states.device.type, self.autocast):
            made: Tensor = self.module(states)
        return made


@dataclass(frozen=True)
class Reading:
    """What predicts N tokens, before their logits.

    Args:
        inputs: (N, H) what `head` takes; (N, V) logits where it has no module.
        states: (N, H) the hidden states that enter the model's own head.
    """

    inputs: Tensor
    states: Tensor
    head: Head


def read(model: nn.Module, batch: Batch) -> Reading:
    """The states that predict a batch's trained tokens.

    Args:
        model: a causal language model of transformers, bare or inside peft.
        batch: padded, or flat with a layout (then the model's attention must be "luciola").
    """
    head = head_of(model)
    kept, inverse = kept_columns(batch)
    length = batch.ids.shape[1]

    def at_places(outputs: Tensor) -> Tensor:
        if outputs.shape[1] != len(kept):  # this family computes them all, whatever it is asked
            outputs = outputs[:, -length:][:, kept]
        return pick(batch, outputs, inverse)

    with _watched(output_head(model), withhold=head.module is not None) as seen:
        logits = model(**model_inputs(batch), logits_to_keep=kept).logits
    states = at_places(seen[-1]) if seen else None
    if head.module is None:
        inputs = at_places(logits)
        return Reading(inputs, inputs if states is None else states, head)
    assert states is not None  # the model was asked, and it calls its head
    return Reading(states, states, head)


def head_of(model: nn.Module) -> Head:
    """The model's head under the autocast and the adapters that are on now."""
    bare: Any = model.get_base_model() if hasattr(model, "peft_config") else model  # type: ignore[operator]
    described = _described(model, bare)
    if bare not in _plain and not _is_imaginary(bare):
        _plain[bare] = _asked(model, described)
        if not _plain[bare]:
            log.warning(
                "%s does more to its logits than is known here, so they are all kept: "
                "more memory, same result",
                type(bare).__name__,
            )
    return described if _plain.get(bare, True) else _whole(described)


def _described(model: nn.Module, bare: Any) -> Head:
    settings = bare.config.get_text_config()
    device = next(model.parameters()).device.type

    def of(names: tuple[str, ...]) -> Any:
        found = (getattr(settings, name, None) for name in names)
        return next((value for value in found if value), None)

    on = torch.is_autocast_enabled(device)
    return Head(
        output_head(model),
        Finish(of(FACTORS) or 1.0, of(DIVISORS) or 1.0, of(CAPS)),
        autocast=torch.get_autocast_dtype(device) if on else None,
        switch=switched(),
        compiled=any(m._compiled_call_impl is not None for m in bare.modules()),
    )


def _whole(head: Head) -> Head:
    return Head(None, compiled=head.compiled)


def _is_imaginary(model: nn.Module) -> bool:
    """On tensors without numbers a model cannot be asked."""
    weight = next(model.parameters())
    return weight.is_meta or type(weight.data).__name__ == "FakeTensor"


def uncached(device: str, kind: torch.dtype | None) -> torch.autocast:
    """Autocast that keeps no casts: one made without gradients would be taken where they are
    needed, and a trained weight would get none.
    """
    return torch.autocast(device, kind, enabled=kind is not None, cache_enabled=False)


@torch.no_grad()
def _asked(model: nn.Module, head: Head) -> bool:
    """Whether the model's logits are `head.finish` of what its head gives: that is replaced by
    numbers from -60 to 60, where every cap and factor shows.
    """
    if head.module is None:
        return False
    was_training = model.training
    ids = torch.zeros(1, 3, dtype=torch.int64, device=next(model.parameters()).device)
    given: list[Tensor] = []

    def sweep(_: Tensor, logits: Tensor) -> Tensor:
        one = torch.linspace(-60, 60, logits.shape[-1], device=logits.device).to(logits.dtype)
        given.append(one.expand_as(logits))
        return given[-1]

    try:
        model.eval()
        with (
            torch.random.fork_rng([ids.device] if ids.is_cuda else []),
            _replaced(head.module, sweep),
            uncached(ids.device.type, head.autocast),
        ):
            found = model(input_ids=ids, use_cache=False).logits.float()
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        log.info("the output head cannot be taken apart: %s", error)
        return False
    finally:
        model.train(was_training)
    if len(given) != 1 or found.shape[-1] != given[0].shape[-1]:
        return False
    expected = head.finish.finished(given[0])
    rounding = 1e-5 if expected.dtype == torch.float32 else 2**-6
    length = min(found.shape[1], expected.shape[1])
    expected = expected[:, -length:].float()
    return torch.allclose(found[:, -length:], expected, rtol=rounding, atol=rounding)


def output_head(model: nn.Module) -> Any:
    """The layer that turns states into logits; None where the model has none."""
    return model.get_output_embeddings()  # type: ignore[operator]


@contextmanager
def _watched(head: nn.Module | None, *, withhold: bool) -> Iterator[list[Tensor]]:
    """Within it the head's inputs are kept in order; withheld, it computes one zero a state."""
    seen: list[Tensor] = []
    if head is None:
        yield seen
        return

    def note(states: Tensor) -> Tensor | None:
        seen.append(states)
        return states.new_zeros(*states.shape[:-1], 1) if withhold else None

    with _replaced(head, None, note):
        yield seen


@contextmanager
def _replaced(
    head: nn.Module,
    after: Callable[[Tensor, Tensor], Tensor] | None,
    before: Callable[[Tensor], Tensor | None] | None = None,
) -> Iterator[None]:
    """Within it the head gives what `before` returns, or else what `after` makes of its outputs."""
    own, forward = head.__dict__.get("forward"), head.forward

    def called(states: Tensor, *others: Any, **named: Any) -> Tensor:
        early = None if before is None else before(states)
        if early is not None:
            return early
        logits: Tensor = forward(states, *others, **named)
        return logits if after is None else after(states, logits)

    head.forward = called
    try:
        yield
    finally:
        if own is None:
            del head.forward
        else:
            head.forward = own
