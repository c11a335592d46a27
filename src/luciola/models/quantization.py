"""A frozen base in 4 or 8 bits, through bitsandbytes on a GPU."""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

import torch
from torch import nn

from luciola.errors import ConfigError
from luciola.models.load import base_source, put_adapter
from luciola.models.quiet import quiet
from luciola.models.source import ADAPTER, Source, resolve

KINDS = ("nf4", "int8")


def load_quantised(model: str, kind: str, device: torch.device, *, attention: str = "sdpa") -> Any:
    """A causal language model whose linear layers are kept in few bits and compute in bfloat16;
    with its adapter on, where the folder holds one.

    Source of nf4 and its double quantisation: Dettmers et al. 2023, section 3,
    https://arxiv.org/abs/2305.14314; of int8: Dettmers et al. 2022,
    https://arxiv.org/abs/2208.07339.

    Args:
        kind: nf4 or int8.
        device: a GPU.

    Raises: ConfigError without a GPU or the package, or for a GGUF file.
    """
    check_possible(kind, device)
    source = resolve(model)
    base = base_source(source)
    if base.gguf_file:
        raise ConfigError(
            f"{base.path} is a GGUF file, which is not quantised again",
            remedy="Give the folder or hub id of the original model.",
        )
    loaded = _load(base, kind, device, attention)
    if source.is_local and (source.path / ADAPTER).is_file():
        loaded = put_adapter(loaded, source.path)
    return loaded.eval()


def check_possible(kind: str, device: torch.device) -> None:
    """Raises: ConfigError without a GPU or bitsandbytes, saying which."""
    if device.type != "cuda":
        raise ConfigError(
            f"quantize={kind} needs a CUDA GPU, and this run is on the {device.type}",
            remedy="Take adapter=lora quantize=none, or run it on a machine with a GPU.",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"quantize={kind} needs the package bitsandbytes, which is not installed",
            remedy="Install it with `pip install 'luciola[quantized]'`.",
        )


def settings_of(kind: str) -> Any:
    """What transformers is told."""
    from transformers import BitsAndBytesConfig

    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _load(base: Source, kind: str, device: torch.device, attention: str) -> Any:
    from transformers import AutoModelForCausalLM

    from luciola.models.attention import register

    register()
    # With int8 it says at every product that bfloat16 becomes float16 inside.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    with quiet(downloads=True):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            base.location,
            dtype=torch.bfloat16,
            quantization_config=settings_of(kind),
            device_map={"": device.index or 0},
            attn_implementation=attention,
            local_files_only=base.is_local,
        )
    return _norms_in_float32(loaded)


def _norms_in_float32(model: nn.Module) -> nn.Module:
    """Layer norms are few and lose most by rounding; they compute in float32, as QLoRA does it."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(False)
        if parameter.ndim == 1 and "norm" in name:
            parameter.data = parameter.data.float()
    return model


def is_quantised(model: Any) -> bool:
    """Whether a model's weights are kept in few bits."""
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    return getattr(base, "quantization_method", None) is not None
