"""A model of transformers read as a `Network`, by its structure and not by its name.

A part that is not known ends the reading with `UnknownNetworkError`. What a structure cannot tell
(a factor hidden in a forward pass) the probe finds, which compares the network with its model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from luciola.rollout.engine.network import Layer, Network, Norm
from luciola.rollout.engine.reading import (
    activation,
    children,
    embedding,
    read_norm,
    rotary_tables,
    rotary_types,
    windows,
)
from luciola.rollout.engine.weights import UnknownNetworkError, Weights


def read(model: Any, weights: Weights) -> Network:
    """The network of a causal language model, bare or inside a peft adapter.

    Raises: UnknownNetworkError for what the engine does not know.
    """
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    parts = children(base)
    if parts.keys() == {"model", "lm_head"}:
        return _read_llama(base, weights)
    if parts.keys() == {"transformer", "lm_head"} and hasattr(base.transformer, "wpe"):
        return _read_gpt2(base, weights)
    if parts.keys() == {"gpt_neox", "embed_out"}:
        return _read_neox(base, weights)
    if parts.keys() == {"gpt_neox", "lm_head"}:
        return _read_neox(base, weights)
    raise UnknownNetworkError(f"{type(base).__name__} is made of {', '.join(sorted(parts))}")


def _read_llama(base: Any, weights: Weights) -> Network:
    inner, config = base.model, base.config
    children(inner, known={"embed_tokens", "layers", "norm", "rotary_emb"})
    first = inner.layers[0].self_attn
    types = rotary_types(inner.rotary_emb, config)
    seen = windows(config, len(inner.layers))
    layers = tuple(
        _llama_layer(layer, weights, seen[index], types) for index, layer in enumerate(inner.layers)
    )
    scale = getattr(inner.embed_tokens, "embed_scale", None)
    function, name = activation(inner.layers[0].mlp.act_fn, config)
    return Network(
        embedding=weights.vector(embedding(inner.embed_tokens)),
        embedding_scale=None if scale is None else torch.as_tensor(scale).to(weights.dtype),
        positions=None,
        layers=layers,
        last_norm=read_norm(inner.norm, weights),
        head=weights.linear([base.lm_head]),
        head_softcap=getattr(config, "final_logit_softcapping", None),
        heads=config.num_attention_heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        head_size=first.head_dim,
        gated=True,
        activation=function,
        activation_name=name,
        parallel=False,
        tables=rotary_tables(inner.rotary_emb, types),
        context=getattr(config, "max_position_embeddings", None),
    )


def _llama_layer(layer: Any, weights: Weights, window: int | None, types: list[str]) -> Layer:
    attention, mlp = layer.self_attn, layer.mlp
    inside = children(layer, known={"self_attn", "mlp", *NORMS})
    parts = children(
        attention, known={"q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj", "q_norm", "k_norm"}
    )
    children(mlp, known={"gate_proj", "up_proj", "gate_up_proj", "down_proj", "act_fn"})
    if "input_layernorm" not in inside or getattr(attention, "sinks", None) is not None:
        raise UnknownNetworkError(f"{type(layer).__name__} is built otherwise")
    fused = "qkv_proj" in parts
    qkv = [parts["qkv_proj"]] if fused else [parts[n] for n in ("q_proj", "k_proj", "v_proj")]
    up = [mlp.gate_up_proj] if hasattr(mlp, "gate_up_proj") else [mlp.gate_proj, mlp.up_proj]
    norms = {name: read_norm(inside[name], weights) for name in NORMS if name in inside}
    four = "pre_feedforward_layernorm" in norms
    kind = getattr(attention, "layer_type", None)
    turned = getattr(attention, "use_rope", True)
    return Layer(
        before_attention=norms["input_layernorm"],
        qkv=weights.linear(qkv),
        query_norm=head_norm(parts.get("q_norm"), attention, weights),
        key_norm=head_norm(parts.get("k_norm"), attention, weights),
        out=weights.linear([attention.o_proj]),
        after_attention=norms["post_attention_layernorm"] if four else None,
        before_mlp=norms["pre_feedforward_layernorm" if four else "post_attention_layernorm"],
        up=weights.linear(up),
        down=weights.linear([mlp.down_proj]),
        after_mlp=norms.get("post_feedforward_layernorm"),
        rotary=(types.index(kind) if kind in types else 0) if turned else None,
        window=window,
        scale=float(attention.scaling),
        softcap=getattr(attention, "attn_logit_softcapping", None),
    )


NORMS = (
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
)


def head_norm(module: Any, attention: Any, weights: Weights) -> Norm | None:
    if module is None:
        return None
    norm = read_norm(module, weights)
    if norm.weight.shape != (attention.head_dim,):
        raise UnknownNetworkError("norms of queries that are not head by head")
    return norm


def _read_gpt2(base: Any, weights: Weights) -> Network:
    inner, config = base.transformer, base.config
    children(inner, known={"wte", "wpe", "h", "ln_f"})
    seen = windows(config, len(inner.h))
    layers = []
    for index, block in enumerate(inner.h):
        children(block, known={"ln_1", "attn", "ln_2", "mlp"})
        children(block.attn, known={"c_attn", "c_proj"})
        children(block.mlp, known={"c_fc", "c_proj", "act"})
        layers.append(
            Layer(
                before_attention=read_norm(block.ln_1, weights),
                qkv=weights.linear([block.attn.c_attn]),
                query_norm=None,
                key_norm=None,
                out=weights.linear([block.attn.c_proj]),
                after_attention=None,
                before_mlp=read_norm(block.ln_2, weights),
                up=weights.linear([block.mlp.c_fc]),
                down=weights.linear([block.mlp.c_proj]),
                after_mlp=None,
                rotary=None,
                window=seen[index],
                scale=float(block.attn.scaling),
                softcap=None,
            )
        )
    function, name = activation(inner.h[0].mlp.act, config)
    return Network(
        embedding=weights.vector(embedding(inner.wte)),
        embedding_scale=None,
        positions=weights.vector(embedding(inner.wpe)),
        layers=tuple(layers),
        last_norm=read_norm(inner.ln_f, weights),
        head=weights.linear([base.lm_head]),
        head_softcap=None,
        heads=config.num_attention_heads,
        kv_heads=config.num_attention_heads,
        head_size=config.hidden_size // config.num_attention_heads,
        gated=False,
        activation=function,
        activation_name=name,
        parallel=False,
        tables=lambda _: [],
        context=config.max_position_embeddings,
    )


def _read_neox(base: Any, weights: Weights) -> Network:
    inner, config = base.gpt_neox, base.config
    children(inner, known={"embed_in", "layers", "final_layer_norm", "rotary_emb"})
    heads = config.num_attention_heads
    size = config.hidden_size // heads
    types = rotary_types(inner.rotary_emb, config)
    seen = windows(config, len(inner.layers))

    def by_kind(tensor: Tensor) -> Tensor:
        """Head by head query, key, value: all queries first, then keys, then values."""
        rest = tensor.shape[1:]
        return tensor.reshape(heads, 3, size, *rest).transpose(0, 1).reshape(-1, *rest)

    layers = []
    for index, block in enumerate(inner.layers):
        children(block, known={"input_layernorm", "post_attention_layernorm", "attention", "mlp"})
        children(block.attention, known={"query_key_value", "dense", "rotary_emb"})
        children(block.mlp, known={"dense_h_to_4h", "dense_4h_to_h", "act"})
        layers.append(
            Layer(
                before_attention=read_norm(block.input_layernorm, weights),
                qkv=weights.linear([block.attention.query_key_value], by_kind),
                query_norm=None,
                key_norm=None,
                out=weights.linear([block.attention.dense]),
                after_attention=None,
                before_mlp=read_norm(block.post_attention_layernorm, weights),
                up=weights.linear([block.mlp.dense_h_to_4h]),
                down=weights.linear([block.mlp.dense_4h_to_h]),
                after_mlp=None,
                rotary=0,
                window=seen[index],
                scale=float(block.attention.scaling),
                softcap=None,
            )
        )
    function, name = activation(inner.layers[0].mlp.act, config)
    return Network(
        embedding=weights.vector(embedding(inner.embed_in)),
        embedding_scale=None,
        positions=None,
        layers=tuple(layers),
        last_norm=read_norm(inner.final_layer_norm, weights),
        head=weights.linear([base.get_output_embeddings()]),
        head_softcap=None,
        heads=heads,
        kv_heads=heads,
        head_size=size,
        gated=False,
        activation=function,
        activation_name=name,
        parallel=bool(config.use_parallel_residual),
        tables=rotary_tables(inner.rotary_emb, types),
        context=getattr(config, "max_position_embeddings", None),
    )
