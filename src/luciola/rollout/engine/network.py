"""A causal language model as the engine sees it: plain tensors and numbers, no modules.

One description for the families that the engine knows (`rollout.engine.reading` makes it from a
model of transformers): Llama and its relatives, GPT-2, GPT-NeoX. Left out: mixtures of experts,
recurrent layers, latent attention; such models are answered by the plain sampler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor


@dataclass(frozen=True)
class Norm:
    """A normalisation over the last dimension.

    Args:
        weight: (width,).
        bias: (width,) of a LayerNorm; None: none.
        eps: added to the variance.
        kind: "rms" or "layer".
        offset: added to the weight; 1 in Gemma, whose weights are kept less 1.
    """

    weight: Tensor
    bias: Tensor | None
    eps: float
    kind: Literal["rms", "layer"] = "rms"
    offset: float = 0.0


@dataclass(frozen=True)
class Linear:
    """x W^T + b with weight (out, in) and bias (out,) or None."""

    weight: Tensor
    bias: Tensor | None = None


@dataclass(frozen=True)
class Layer:
    """One block. Its attention writes keys and values into the cache's layer of the same index.

    Args:
        before_attention, before_mlp: norms of their inputs.
        after_attention, after_mlp: norms of their outputs before the residual; None: none.
        qkv: queries, keys and values one above the other, head by head.
        query_norm, key_norm: norms of each head; None: none.
        out: from the heads back to the residual stream.
        up: of a gated MLP gate and up one above the other.
        down: back to the residual stream.
        rotary: index of its table of cosines and sines; None: no rotation.
        window: tokens that each one sees, itself included; None: all before it.
        scale: factor on the scores.
        softcap: scores s become softcap · tanh(s / softcap); None: as they are.
    """

    before_attention: Norm
    qkv: Linear
    query_norm: Norm | None
    key_norm: Norm | None
    out: Linear
    after_attention: Norm | None
    before_mlp: Norm
    up: Linear
    down: Linear
    after_mlp: Norm | None
    rotary: int | None
    window: int | None
    scale: float
    softcap: float | None


@dataclass(frozen=True)
class Network:
    """All layers, and what stands before and after them.

    Args:
        embedding: (V, width).
        embedding_scale: factor on embeddings, in their type; None: none.
        positions: (context, width) learned positions; None: none.
        layers: in order.
        last_norm: before the head.
        head: (V, width) and its bias.
        head_softcap: as of the attention's scores, on logits.
        heads, kv_heads, head_size: of the attention.
        gated: whether the MLP is activation(gate) · up.
        activation: of the MLP.
        activation_name: how transformers calls it.
        parallel: attention and MLP read the same residual stream, as in GPT-NeoX.
        tables: for so many positions each rotary table, (cosines, sines), both
            (positions, rotated / 2) float32.
        context: positions it knows; None: no limit known.
    """

    embedding: Tensor
    embedding_scale: Tensor | None
    positions: Tensor | None
    layers: tuple[Layer, ...]
    last_norm: Norm
    head: Linear
    head_softcap: float | None
    heads: int
    kv_heads: int
    head_size: int
    gated: bool
    activation: Callable[[Tensor], Tensor]
    activation_name: str
    parallel: bool
    tables: Callable[[int], list[tuple[Tensor, Tensor]]]
    context: int | None
