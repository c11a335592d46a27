"""The arithmetic of a block in plain torch: what the kernels are compared with, and what runs on a
CPU.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from luciola.rollout.engine.network import Layer, Network, Norm


def norm(x: Tensor, by: Norm) -> Tensor:
    """(N, width) normalised in float32, in x's type."""
    if by.kind == "layer":
        return F.layer_norm(x, x.shape[-1:], by.weight, by.bias, by.eps)
    y = x.float()
    y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + by.eps)
    if by.offset:
        return (y * (by.weight.float() + by.offset)).to(x.dtype)
    return by.weight * y.to(x.dtype)


def add_norm(x: Tensor, update: Tensor, by: Norm) -> tuple[Tensor, Tensor]:
    """x + update, and that normalised."""
    total = x + update
    return total, norm(total, by)


def activated(up: Tensor, network: Network) -> Tensor:
    """(N, I) from gate and up side by side, (N, 2 I), or from (N, I) without a gate."""
    if not network.gated:
        return network.activation(up)
    gate, value = up.chunk(2, -1)
    return network.activation(gate) * value


def split_heads(qkv: Tensor, network: Network) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (N, H, D), keys and values (N, H_kv, D)."""
    states = qkv.view(len(qkv), -1, network.head_size)
    q, k, v = states.split([network.heads, network.kv_heads, network.kv_heads], 1)
    return q, k, v


def rotated(
    qkv: Tensor, layer: Layer, network: Network, turns: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values with their norms, turned by cosines and sines (N, rotated / 2)."""
    q, k, v = split_heads(qkv, network)
    if layer.query_norm is not None:
        q = norm(q, layer.query_norm)
    if layer.key_norm is not None:
        k = norm(k, layer.key_norm)
    if turns is not None:
        q, k = _turned(q, *turns), _turned(k, *turns)
    return q, k, v


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Source: rotary embeddings, Su et al. 2021, https://arxiv.org/abs/2104.09864; halves turned
    against each other as in GPT-NeoX.
    """
    half = cos.shape[-1]
    first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    cos, sin = cos[:, None].to(x.dtype), sin[:, None].to(x.dtype)
    return torch.cat([first * cos - second * sin, second * cos + first * sin, rest], -1)


def capped(scores: Tensor, softcap: float | None) -> Tensor:
    """softcap · tanh(scores / softcap), or the scores as they are."""
    return scores if softcap is None else softcap * torch.tanh(scores / softcap)


def visible(positions: Tensor, length: int, window: int | None, dtype: torch.dtype) -> Tensor:
    """(N, length) additive mask: 0 where the token at `positions` (N,) sees a slot, else -inf."""
    slots = torch.arange(length, device=positions.device)
    unseen = slots > positions[:, None]
    if window is not None:
        unseen |= slots <= positions[:, None] - window
    return torch.zeros(unseen.shape, dtype=dtype, device=positions.device).masked_fill_(
        unseen, -torch.inf
    )


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, layer: Layer) -> Tensor:
    """(B, T, H, D) attention of queries (B, T, H, D) on keys and values (B, H_kv, S, D).

    The heads of one group stand side by side as queries of one head of the keys, so that these are
    read once and repeated nowhere.

    Args:
        mask: (B or 1, T, S), additive.
    """
    B, T, H, D = q.shape
    groups = H // k.shape[1]
    grouped = q.view(B, T, k.shape[1], groups, D).permute(0, 2, 3, 1, 4).flatten(2, 3)
    mask = mask[:, None, None].expand(-1, -1, groups, -1, -1).flatten(2, 3)
    if layer.softcap is None:
        out = F.scaled_dot_product_attention(grouped, k, v, attn_mask=mask, scale=layer.scale)
    else:
        scores = capped(grouped @ k.transpose(-1, -2) * layer.scale, layer.softcap) + mask
        out = scores.softmax(-1, dtype=torch.float32).to(q.dtype) @ v
    return out.view(B, k.shape[1], groups, T, D).permute(0, 3, 1, 2, 4).reshape(B, T, H, D)
