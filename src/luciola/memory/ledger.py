"""What is alive while a step computes, by kind, and what was alive at the peak.

A dispatch mode sees every operator's outputs, books their storages under the kind of module that is
running, and strikes them out when they die. It works alike on real tensors and on fake ones, which
have shapes and no memory: the same step on fake tensors predicts the real one.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

BLOCK = 512
"""Bytes that the CUDA allocator rounds every tensor up to."""

HEAD, BACKWARD, GRADIENTS, CASTS = "logits and loss", "backward", "gradients", "weights in bf16"
KINDS = {
    "attn": "attention", "attention": "attention", "mixer": "attention",
    "mlp": "mlp", "ffn": "mlp", "feed_forward": "mlp", "moe": "mlp", "experts": "mlp",
    "norm": "norms", "ln": "norms", "layernorm": "norms",
    "embed": "embeddings", "wte": "embeddings", "wpe": "embeddings", "embeddings": "embeddings",
    "lm_head": HEAD, "score": HEAD, "value_head": HEAD, "heads": HEAD, "embed_out": HEAD,
}  # fmt: skip
"""The kind of a module by a part of its name."""


def kind_of(name: str) -> str | None:
    """The kind of layer that a module's own name speaks of: `self_attn`, `mlp`, `ln_1`; else
    None.
    """
    word = name.rsplit(".", 1)[-1].lower()
    if word in KINDS:
        return KINDS[word]
    parts = set(word.split("_"))
    found = next((kind for part, kind in KINDS.items() if part in parts), None)
    return found or ("norms" if word.endswith("norm") else None)


class Ledger(TorchDispatchMode):
    """Bytes of the tensors made inside it.

    Args:
        roles: the module that computes; its parts' names give the kinds.
        known: tensors that are there already and are booked elsewhere.
    """

    def __init__(self, roles: nn.Module, known: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.alive: Counter[str] = Counter()
        self.at_peak: Counter[str] = Counter()
        self.total = self.peak = 0
        self._names = {m: kind_of(name) for name, m in roles.named_modules()}
        self._stack: list[str] = [HEAD]
        self._parameters = {p.untyped_storage()._cdata for p in roles.parameters()}
        self._booked: dict[int, list[Any]] = {}
        self._finalizers: list[weakref.finalize[Any, Any]] = []
        self._known = {tensor.untyped_storage()._cdata for tensor in known} | self._parameters

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        kind = self._stack[-1]
        if func is torch.ops.aten._to_copy.default and self._is_parameter(args[0]):
            kind = CASTS
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._book(tensor, kind)
        return result

    def _is_parameter(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self._parameters

    def _book(self, tensor: Tensor, kind: str) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known or key in self._booked:
            return
        size = -(-storage.nbytes() // BLOCK) * BLOCK
        self._booked[key] = [kind, size]
        self._finalizers.append(weakref.finalize(storage, self._strike, key))
        self._add(kind, size)

    def _add(self, kind: str, size: int) -> None:
        self.alive[kind] += size
        self.total += size
        if self.total > self.peak:
            self.peak = self.total
            self.at_peak = self.alive.copy()

    def _strike(self, key: int) -> None:
        kind, size = self._booked.pop(key)
        self.alive[kind] -= size
        self.total -= size

    def rebook(self, tensor: Tensor, kind: str) -> None:
        """Move a tensor that is booked already to another kind."""
        entry = self._booked.get(tensor.untyped_storage()._cdata)
        if entry is not None:
            self.alive[entry[0]] -= entry[1]
            self.alive[kind] += entry[1]
            entry[0] = kind

    @contextmanager
    def running(self, kind: str) -> Iterator[None]:
        """Within it what no module makes is booked under `kind`."""
        self._stack.append(kind)
        try:
            yield
        finally:
            self._stack.pop()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within it the modules that run give the kinds, and tensors are booked."""

        def enter(module: nn.Module, inputs: Any) -> None:
            kind = self._names.get(module)
            self._stack.append(kind or self._inherited())

        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            self._stack.pop()

        handles = [register_module_forward_pre_hook(enter)]
        handles.append(register_module_forward_hook(leave, always_call=True))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()
            for finalizer in self._finalizers:
                finalizer.detach()

    def _inherited(self) -> str:
        """A module without a kind of its own takes that of what it is in; the model itself none."""
        return "between layers" if self._stack[-1] == HEAD else self._stack[-1]
