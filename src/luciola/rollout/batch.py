"""A batch of rows inside the model: prompts computed once, then one token per row and step.

`PaddedBatch` takes prompts of any lengths and puts each group's prefix, computed once, before them:

    |  padding  |  prefix of the row's group  |  padding  |  rest of its prompt  |  answer ...

`EqualBatch` is for models that keep more than keys and values (recurrent states) or forget them
(sliding windows): prompts of equal length without padding or prefix, which every cache gets right.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from luciola.models.head import output_head
from luciola.models.kernels import unplanned
from luciola.models.q_heads import calls_of
from luciola.models.quantization import is_quantised
from luciola.models.virtual_tokens import has_virtual_tokens
from luciola.rollout.cache import ROOM, Prefix, growing
from luciola.rollout.steering import Steering
from luciola.rollout.visible import Visible

PREFILL_TOKENS = 1 << 15
"""Most tokens of one forward pass over prompts, padding included; bounds its memory."""

CACHES = ("past_key_values", "cache_params")
"""What models call what they keep between two tokens. RWKV's `state` is left out: transformers
5.23 mixes up the rows of a batch that goes on from it."""


class Batch(Protocol):
    """Rows in step: all have the same number of answer tokens."""

    logits: Tensor
    """(B, V) of the next token of each row."""

    def step(self, tokens: Tensor) -> None:
        """Append one token per row, (B,) int64, and compute the next logits."""

    def select(self, rows: Sequence[int]) -> bool:
        """Keep only these rows; False where this kind of batch must keep all."""
        ...


class Forward:
    """The model's forward pass with a cache, giving the logits of the last position only.

    A model in few bits computes as it does in training: products in bfloat16, whatever goes in.
    """

    def __init__(self, model: PreTrainedModel, steering: Steering | None = None) -> None:
        self.model: Any = model
        self.steering = steering
        embeddings: Any = model.get_input_embeddings()
        weight: Tensor = embeddings.weight
        self.device, self.dtype = weight.device, weight.dtype
        self.computing = torch.autocast(
            self.device.type, torch.bfloat16, enabled=is_quantised(model)
        )
        self.last_position = context_length(model)
        taken = arguments_of(model)
        self.cache_name = next((name for name in CACHES if name in taken), None)
        self.options: dict[str, Any] = {"use_cache": self.cache_name is not None}
        if "logits_to_keep" in taken:
            self.options["logits_to_keep"] = 1

    def __call__(
        self, ids: Tensor, positions: Tensor, cache: Any, bias: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """Logits (B, V) after ids (B, T) at `positions` (B, T), and the cache.

        `bias` is an additive mask (B, 1, T, all keys), which every attention takes as it is. Of a
        model without a cache all tokens so far are kept in its place, and computed again.
        """
        if self.cache_name is None:
            ids = ids if cache is None else torch.cat([cache, ids], 1)
            positions = torch.arange(ids.shape[1], device=ids.device)[None].expand_as(ids)
        if self.last_position is not None:
            positions = positions.clamp(max=self.last_position - 1)  # rows already finished run on
        inputs = {"input_ids": ids, "position_ids": positions, "attention_mask": bias}
        if self.cache_name is not None:
            inputs[self.cache_name] = cache
        if self.steering is None:
            with self.computing, unplanned():
                out = self.model(**inputs, **self.options)
            return out.logits[:, -1], self._kept(out, ids)
        with calls_of(output_head(self.model)) as calls, self.computing, unplanned():
            out = self.model(**inputs, **self.options)
        scores = self.steering.scores(out.logits[:, -1], calls[-1][:, -1], ids[:, -1])
        return scores, self._kept(out, ids)

    def _kept(self, out: Any, ids: Tensor) -> Any:
        """What the next call is given as its cache."""
        kept = None if self.cache_name is None else getattr(out, self.cache_name, None)
        if kept is None:  # it takes one and gives none back
            self.cache_name, self.options["use_cache"] = None, False
        return ids if kept is None else kept


def arguments_of(model: PreTrainedModel) -> frozenset[str]:
    """Names that a model's forward pass takes, also inside an adapter."""
    base: Any = getattr(model, "get_base_model", lambda: model)()
    return frozenset(inspect.signature(base.forward).parameters)


def context_length(model: PreTrainedModel) -> int | None:
    """Tokens that the model can take, by its configuration; None where it does not say."""
    config = model.config.get_text_config(decoder=True)
    return getattr(config, "max_position_embeddings", None)


def longest_exact(model: PreTrainedModel) -> int:
    """Up to how many cache slots padding and shared prefixes are exact; 0: never, 2^62: always."""
    if not {"position_ids", "past_key_values"} <= arguments_of(model):
        return 0  # it counts positions itself, padding included
    if has_virtual_tokens(model):
        return 0  # they stand before the text, where padding and prefixes would be
    layers = DynamicCache(config=model.config).layers
    if not layers:
        return 0
    windows = [_window(layer) for layer in layers]
    return min(windows)


def _window(layer: Any) -> int:
    if type(layer) is DynamicLayer:
        return 1 << 62
    return layer.sliding_window if type(layer) is DynamicSlidingWindowLayer else 0


class PaddedBatch:
    """Rows of any lengths behind the prefixes of their groups; see the module's picture."""

    def __init__(
        self, forward: Forward, prefixes: Sequence[Prefix | None], suffixes: Sequence[Sequence[int]]
    ) -> None:
        """Compute the rest of the prompts.

        Args:
            forward: the model.
            prefixes: one per row, None for none; rows of one group stand together.
            suffixes: what follows the prefix in each row's prompt, at least one token.
        """
        self.forward = forward
        lengths = [len(prefix.ids) if prefix else 0 for prefix in prefixes]
        self.front, width = max(lengths), max(len(suffix) for suffix in suffixes)
        padding = _padding(self.front, width, lengths, [len(suffix) for suffix in suffixes])
        self.visible = Visible(padding.to(forward.device), forward.dtype)
        self.cache: Any = (
            growing(_stacked(prefixes, self.front), width + ROOM) if self.front else DynamicCache()
        )
        ends = [length + len(suffix) for length, suffix in zip(lengths, suffixes, strict=True)]
        self.positions = torch.tensor(ends, device=forward.device)
        padded = [[0] * (width - len(suffix)) + list(suffix) for suffix in suffixes]
        self.logits = self._prefill(torch.tensor(padded, device=forward.device))

    def _prefill(self, ids: Tensor) -> Tensor:
        """Run the prompts through the model, some columns at a time; returns the last logits."""
        B, width = ids.shape
        columns = max(1, PREFILL_TOKENS // B)
        offsets = torch.arange(width, device=ids.device) - width
        positions = (self.positions[:, None] + offsets).clamp(min=0)
        for start in range(0, width, columns):
            end = min(start + columns, width)
            bias = self.visible.causal(self.front + start, self.front + end)
            logits, _ = self.forward(ids[:, start:end], positions[:, start:end], self.cache, bias)
        if not self.front:
            self.cache = growing([(layer.keys, layer.values) for layer in self.cache.layers], ROOM)
        return logits

    def step(self, tokens: Tensor) -> None:
        """Append one token per row, (B,) int64, and compute the next logits."""
        self.visible.append()
        self.logits, _ = self.forward(
            tokens[:, None], self.positions[:, None], self.cache, self.visible.bias
        )
        self.positions = self.positions + 1

    def select(self, rows: Sequence[int]) -> bool:
        """Keep only these rows; the finished ones are computed no further."""
        indices = torch.tensor(rows, device=self.positions.device)
        self.cache.batch_select_indices(indices)
        self.visible.select(indices)
        self.positions, self.logits = self.positions[indices], self.logits[indices]
        return True


def _padding(front: int, width: int, prefixes: list[int], suffixes: list[int]) -> Tensor:
    """(B, front + width) bool: where rows with prefixes and suffixes so long have padding."""
    slots = torch.arange(front + width)
    first = torch.tensor([front - length for length in prefixes])[:, None]
    second = torch.tensor([front + width - length for length in suffixes])[:, None]
    return (slots < first) | ((slots >= front) & (slots < second))


def _stacked(prefixes: Sequence[Prefix | None], front: int) -> list[tuple[Tensor, Tensor]]:
    """Per layer the rows' prefixes, (B, H, front, D), padded on the left with zeros."""
    some = next(prefix for prefix in prefixes if prefix)
    stacked = []
    for layer in range(len(some.layers)):
        pair = []
        for part in range(2):
            B, (_, H, _, D) = len(prefixes), some.layers[layer][part].shape
            states = some.layers[layer][part].new_zeros(B, H, front, D)
            row = 0
            for _, same in groupby(prefixes, key=id):
                members = list(same)
                if (prefix := members[0]) is not None:
                    rows = slice(row, row + len(members))
                    states[rows, :, front - len(prefix.ids) :] = prefix.layers[layer][part]
                row += len(members)
            pair.append(states)
        stacked.append((pair[0], pair[1]))
    return stacked


class EqualBatch:
    """Prompts of equal length with the model's own cache."""

    def __init__(self, forward: Forward, prompts: Sequence[Sequence[int]]) -> None:
        """Compute the prompts, all of the same length."""
        self.forward = forward
        ids = torch.tensor([list(prompt) for prompt in prompts], device=forward.device)
        self.length = ids.shape[1]
        positions = torch.arange(self.length, device=forward.device)[None].expand_as(ids)
        self.logits, self.cache = forward(ids, positions, None)

    def step(self, tokens: Tensor) -> None:
        """Append one token per row, (B,) int64, and compute the next logits."""
        positions = torch.full_like(tokens[:, None], self.length)
        self.logits, self.cache = self.forward(tokens[:, None], positions, self.cache)
        self.length += 1

    def select(self, rows: Sequence[int]) -> bool:
        """Not every cache can drop rows, so all are kept."""
        return False
