"""Which of a model's adapters acts, for the passes of one role, and again where they are computed
anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from torch import nn

from luciola.models.virtual_tokens import has_virtual_tokens


def adapters(model: nn.Module) -> tuple[str, ...]:
    """Names of a peft model's adapters; empty for a bare model."""
    return tuple(getattr(model, "peft_config", ()))


@contextmanager
def using_adapter(model: nn.Module, name: str | None) -> Iterator[None]:
    """Within it only the adapter `name` acts, or none; what is trained stays as it is.

    peft's own switches also set which adapter is trained, and would switch off the critic's.
    """
    before = _switched.set(Switch(model, name))
    try:
        with _virtual(model, name) if has_virtual_tokens(model) else _in_layers(model, name):
            yield
    finally:
        _switched.reset(before)


def _virtual(model: Any, name: str | None) -> AbstractContextManager[Any]:
    return model.disable_adapter() if name is None else nullcontext()


@contextmanager
def _in_layers(model: nn.Module, name: str | None) -> Iterator[None]:
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    before = [(layer._disable_adapters, layer._active_adapter) for layer in layers]
    for layer in layers:
        layer._disable_adapters = name is None
        layer._active_adapter = layer._active_adapter if name is None else [name]
    try:
        yield
    finally:
        for layer, (disabled, active) in zip(layers, before, strict=True):
            layer._disable_adapters, layer._active_adapter = disabled, active


@dataclass(frozen=True)
class Switch:
    """Which adapters act: those of `model` as `name` says; without a model as the run has them."""

    model: nn.Module | None = None
    name: str | None = None

    def again(self) -> AbstractContextManager[None]:
        """Within it they act so, whatever acts now."""
        return nullcontext() if self.model is None else using_adapter(self.model, self.name)


UNSWITCHED = Switch()


def switched() -> Switch:
    """Which adapters act now, for a later pass that computes the same."""
    return _switched.get()


def switched_again() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of a layer's pass and of that pass in the backward, for `torch.utils.checkpoint`.

    The backward comes when the adapters are back as the run has them: without this a critic's
    layers would be computed anew with the actor's adapter.
    """
    return nullcontext(), switched().again()


_switched: ContextVar[Switch] = ContextVar("switched", default=UNSWITCHED)
