"""A tiny random model of every family of causal language models that transformers has.

Configurations are made generically: whatever size a family's configuration names is shrunk, and the
few families that need numbers of their own have them in `FAMILY`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from support import VOCABULARY

FAMILIES = tuple(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
"""Every family of the installed transformers, by its model type."""

MOST_PARAMETERS = 3_000_000

SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY + 3,
    "hidden_size": 32, "d_model": 32, "n_embd": 32, "dim": 32, "embedding_size": 32,
    "word_embed_proj_dim": 32, "emb_dim": 32,
    "intermediate_size": 48, "ffn_dim": 48, "d_ff": 48, "n_inner": 48, "dff": 48, "dim_ff": 48,
    "d_inner": 48, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16,
    "decoder_ffn_dim": 48, "encoder_ffn_dim": 48, "expert_ffn_hidden_size": 16,
    "ffn_hidden_size": 48, "shared_intermediate_size": 16, "intermediate_size_mlp": 48,
    "num_hidden_layers": 2, "n_layer": 2, "n_layers": 2, "num_layers": 2,
    "decoder_layers": 2, "encoder_layers": 2, "num_decoder_layers": 2, "num_encoder_layers": 2,
    "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4,
    "decoder_attention_heads": 4, "encoder_attention_heads": 4,
    "num_decoder_attention_heads": 4, "num_encoder_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "global_head_dim": 8, "attention_head_dim": 8,
    "kv_channels": 8, "dim_head": 8, "v_head_dim": 8, "qk_head_dim": 8,
    "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "q_lora_rank": 16, "kv_lora_rank": 16,
    "index_head_dim": 8, "index_n_heads": 2, "index_topk": 16,
    "max_position_embeddings": 256, "n_positions": 256, "max_seq_len": 256, "n_ctx": 256,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "moe_num_experts": 4,
    "num_experts_per_tok": 2, "num_experts_per_token": 2, "moe_k": 2, "moe_top_k": 2,
    "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "n_shared_experts": 1,
    "num_shared_experts": 1, "sliding_window": 16, "attention_window_size": 16,
    "mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_state": 8, "mamba_num_heads": 4,
    "mamba_head_dim": 16, "mamba_n_groups": 1, "mamba_d_ssm": 64, "n_groups": 1,
    "state_size": 8, "ssm_state_size": 8, "mamba_dt_rank": 4, "time_step_rank": 4,
    "n_mamba_heads": 2,
    "mamba_chunk_size": 16, "chunk_size": 16, "lru_width": 32,
    "linear_num_key_heads": 2, "linear_num_value_heads": 2,
    "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": VOCABULARY + 3,
    "initializer_range": 0.2, "init_std": 0.2,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
    "is_decoder": True, "is_encoder_decoder": False, "add_cross_attention": False,
    "hidden_dropout": 0.0, "rope_scaling": None,
}  # fmt: skip
"""Sizes by the names that configurations give them; width 32, two layers, four heads."""

MLA = {"num_key_value_heads": 4, "head_dim": 4, "qk_head_dim": 12}
"""Latent attention: keys are 8 numbers without and 4 with rotation."""
HYBRID = {"num_hidden_layers": 2, "layers_block_type": ["mamba", "attention"]}

FAMILY: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        (
            "axk1",
            "axk2",
            "deepseek_v2",
            "deepseek_v3",
            "deepseek_v32",
            "glm4_moe_lite",
            "glm_moe_dsa",
            "longcat_flash",
            "minicpm3",
        ),
        MLA,
    ),
    "kimi_linear": MLA
    | {
        "linear_num_heads": 2,
        "linear_head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"],
        "mlp_layer_types": ["dense", "sparse"],
    },
    "dots3_note": {"text_config": {"num_key_value_heads": 4}},
    "dots3_note_text": {"num_key_value_heads": 4},
    "bamba": {"attn_layer_indices": [1], "layer_types": ..., "num_hidden_layers": 2},
    "recurrent_gemma": {"layer_types": ..., "num_hidden_layers": 3},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"]},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "gemma4_assistant": {
        "text_config": {"hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0}
    },
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4}}
    },
    "gemma3n_text": {
        "num_kv_shared_layers": 0,
        "activation_sparsity_pattern": [0.0, 0.0],
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "zamba2": {
        "hybrid_layer_ids": [1],
        "layer_types": ["linear_attention", "hybrid"],
        "num_mem_blocks": 1,
    },
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "codegen": {"rotary_dim": 4},
    "gptj": {"rotary_dim": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "mamba2": {"num_heads": 4, "head_dim": 16, "expand": 2},
    "reformer": {
        "axial_pos_embds_dim": [16, 16],
        "axial_pos_shape": [16, 16],
        "hash_seed": 0,
        "is_decoder": True,
        "attn_layers": ["local", "lsh"],
        "attention_head_size": 8,
        "feed_forward_size": 48,
        "num_buckets": 4,
        "local_attn_chunk_length": 8,
        "lsh_attn_chunk_length": 8,
    },
    "roc_bert": {
        "pronunciation_vocab_size": 50,
        "shape_vocab_size": 50,
        "pronunciation_embed_dim": 8,
        "shape_embed_dim": 8,
    },
    "youtu": MLA | {"pad_token_id": None},  # loading zeroes a padding row
    "bailing_hybrid": MLA,
    "xlm": {"causal": True},
    "zaya": {"num_experts_per_tok": 1},
    "xmod": {"default_language": "en_XX"},
    "prophetnet": {"pad_token_id": 0},
}
"""What one family needs beside or instead of `SIZES`."""


def build(family: str, *, seed: int = 0) -> Any:
    """A random model of a family in float32 and evaluation mode."""
    config = build_config(family)
    check_small(config)
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config).float().eval()


def build_config(family: str) -> Any:
    """The family's configuration with every size shrunk."""
    return shrunk(CONFIG_MAPPING[family], FAMILY.get(family, {}))


def shrunk(config_class: Any, own: Mapping[str, Any]) -> Any:
    """A configuration of this class whose named sizes are those of `SIZES`, or `own`."""
    names = set(inspect.signature(config_class.__init__).parameters)
    names |= set(config_class.attribute_map)
    chosen = {name: value for name, value in SIZES.items() if name in names}
    for name, part in (getattr(config_class, "sub_configs", None) or {}).items():
        if name in names and hasattr(part, "attribute_map"):
            chosen[name] = shrunk(
                part, own.get(name, {}) if isinstance(own.get(name), dict) else {}
            )
    chosen |= kinds_of_layers(config_class, names)
    chosen |= {n: v for n, v in own.items() if not (n in chosen and hasattr(chosen[n], "to_dict"))}
    return config_class(**{k: v for k, v in chosen.items() if v is not ...})


def kinds_of_layers(config_class: Any, names: set[str]) -> dict[str, Any]:
    """One layer of every kind that the family's default has, where it has several."""
    if "layer_types" not in names:
        return {}
    kinds = list(dict.fromkeys(getattr(config_class(), "layer_types", None) or ()))
    if len(kinds) < 2:
        return {}
    return {"layer_types": kinds, "num_hidden_layers": len(kinds)}


def check_small(config: Any) -> None:
    """Raises: ValueError if a size of the configuration was not shrunk."""
    with torch.device("meta"):
        count = sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())
    if count > MOST_PARAMETERS:
        raise ValueError(f"{count:,} parameters: a size of {type(config).__name__} is not shrunk")
