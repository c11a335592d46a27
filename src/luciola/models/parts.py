"""The parts of a decoder layer, found by shape and name in any architecture."""

from __future__ import annotations

from typing import Any

from torch import nn

from luciola.errors import ConfigError

ATTENTION = ("attn", "attention", "mixer", "self_attention")
FEED_FORWARD = ("mlp", "ffn", "feed_forward", "feedforward", "moe")
SEPARATE = ("k_proj", "v_proj", "key", "value", "kv_proj", "kv_b_proj")
JOINT = ("qkv", "qkv_proj", "query_key_value", "c_attn", "W_pack", "wqkv", "Wqkv")


def decoder_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers with their names, first to last.

    Raises: ConfigError where none are found.
    """
    count = getattr(_config(model), "num_hidden_layers", None)
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return [(f"{name}.{index}", layer) for index, layer in enumerate(module)]
    raise ConfigError(
        f"{type(model).__name__}: its decoder layers are not found",
        remedy="Take adapter=lora, which needs linear layers only.",
    )


def attention_parts(model: nn.Module) -> list[str]:
    """Names of the attention module of each layer."""
    return [f"{name}.{part}" for name, layer in decoder_layers(model) for part in _attention(layer)]


def feed_forward_parts(model: nn.Module) -> list[str]:
    """Names of the feed-forward module of each layer; where it has none, of its last linear layer.

    Raises: ConfigError where a layer has neither.
    """
    return [f"{name}.{_feed_forward(name, layer)}" for name, layer in decoder_layers(model)]


def key_value_layers(model: nn.Module) -> list[str]:
    """Names of the linear layers that make keys and values, alone or with the queries."""
    linear = _linear_names(model)
    return [name for name in linear if name.rsplit(".", 1)[-1] in (*SEPARATE, *JOINT)]


def last_feed_forward_layers(model: nn.Module) -> list[str]:
    """Names of the linear layers that end the feed-forward parts: their width out is the model's,
    and their inputs the inner activations.
    """
    linear = _linear_names(model)
    found = []
    for part in feed_forward_parts(model):
        inside = [name for name in linear if name == part or name.startswith(part + ".")]
        found += [name for name in inside if _narrows(model.get_submodule(name))]
    return found


def _attention(layer: nn.Module) -> list[str]:
    names = [name for name, _ in layer.named_children()]
    return [n for n in names if n.lower().endswith(ATTENTION) and "norm" not in n.lower()][:1]


def _feed_forward(place: str, layer: nn.Module) -> str:
    children = dict(layer.named_children())
    named = [n for n in children if n.lower().endswith(FEED_FORWARD)]
    linear = [n for n, child in children.items() if isinstance(child, nn.Linear)]
    if not (named or linear):
        raise ConfigError(
            f"{place} has no feed-forward part that is known by name ({', '.join(children)})",
            remedy="Take adapter=lora, which needs linear layers only.",
        )
    return (named or linear[-1:])[0]


def _narrows(module: Any) -> bool:
    """Whether more goes in than comes out; transformers' Conv1D has its weight the other way."""
    if isinstance(module, nn.Linear):
        return module.in_features > module.out_features
    return int(module.weight.shape[0]) > int(module.weight.shape[1])


def _linear_names(model: nn.Module) -> list[str]:
    from transformers.pytorch_utils import Conv1D

    kinds = (nn.Linear, Conv1D)
    return [name for name, module in model.named_modules() if isinstance(module, kinds)]


def _config(model: Any) -> Any:
    return model.config.get_text_config(decoder=True)
