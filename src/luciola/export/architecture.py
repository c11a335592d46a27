"""What llama.cpp calls a model's kind, its sizes and its rotary frequencies.

Llama-type and Qwen2-type models; sparse, recurrent and multimodal ones are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from luciola.errors import ModelError

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Architecture:
    """One kind of model.

    Args:
        name: llama.cpp's.
        interleaved: whether llama.cpp keeps the two halves of each rotary pair side by side.
    """

    name: str
    interleaved: bool


LLAMA = Architecture("llama", interleaved=True)
QWEN2 = Architecture("qwen2", interleaved=False)
SUPPORTED = {"LlamaForCausalLM": LLAMA, "MistralForCausalLM": LLAMA, "Qwen2ForCausalLM": QWEN2}
SCALINGS = ("default", "linear", "llama3")


def architecture_of(model: Any) -> Architecture:
    """Raises: ModelError naming a model's class, and those that can be written."""
    name = type(model).__name__
    if name not in SUPPORTED:
        raise ModelError(
            f"a {name} cannot be written as GGUF here",
            remedy=f"Supported are {', '.join(SUPPORTED)}. llama.cpp's own converter knows more.",
        )
    scaling = rope_of(model.config)["rope_type"]
    if scaling not in SCALINGS:
        raise ModelError(
            f"rotary embeddings of type {scaling!r} cannot be written as GGUF here",
            remedy=f"Supported are {', '.join(SCALINGS)}.",
        )
    return SUPPORTED[name]


def rope_of(config: Any) -> dict[str, Any]:
    """The rotary settings: `rope_type`, `rope_theta`, and what the type needs besides."""
    return {"rope_type": "default", **(config.rope_parameters or {})}


def head_width(config: Any) -> int:
    """Dimensions of one attention head."""
    width = getattr(config, "head_dim", None)
    return int(width or config.hidden_size // config.num_attention_heads)


def write_sizes(writer: GGUFWriter, config: Any, vocabulary: int) -> None:
    """Write the sizes of a model under llama.cpp's keys."""
    window = getattr(config, "sliding_window", None) or config.max_position_embeddings
    width = head_width(config)
    writer.add_context_length(min(window, config.max_position_embeddings))
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(vocabulary)
    _write_rope(writer, config, width)


def _write_rope(writer: GGUFWriter, config: Any, width: int) -> None:
    from gguf import RopeScalingType

    rope = rope_of(config)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])


def rope_factors(config: Any) -> NDArray[np.float32] | None:
    """(head / 2,) what llama.cpp divides each rotary frequency by; None where it needs no table.

    Llama 3.1 stretches slow rotations only, which no single factor says.
    """
    if rope_of(config)["rope_type"] != "llama3":
        return None
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    stretched, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    width = head_width(config)
    plain = rope_of(config)["rope_theta"] ** -(np.arange(0, width, 2) / width)
    return (plain / stretched.double().numpy()).astype(np.float32)
