"""A frozen base in 4 or 8 bits, through bitsandbytes on a GPU."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import torch

from luciola.errors import ConfigError, MissingExtraError
from luciola.models.load import base_source, load_plain, put_adapter
from luciola.models.source import ADAPTER, Source, resolve

KINDS = ("nf4", "int8")


def load_quantised(
    model: str | Source,
    kind: str,
    device: torch.device,
    *,
    attention: str = "sdpa",
    compute: torch.dtype = torch.bfloat16,
    adapter: Path | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """A causal language model whose linear layers are kept in few bits; with its adapter on, where
    the folder holds one.

    Source of nf4 and its double quantisation: Dettmers et al. 2023, section 3,
    https://arxiv.org/abs/2305.14314; of int8: Dettmers et al. 2022,
    https://arxiv.org/abs/2208.07339.

    Args:
        kind: nf4 or int8.
        device: a GPU.
        compute: type of the products.
        adapter: folder of an adapter to put on it.
        trust_remote_code: run Python code that comes with the model.

    Raises:
        ConfigError: without a GPU or the package, for a GGUF file, or for an adapter on top of one
            that the model comes with.
        ModelError: it cannot be loaded.
    """
    check_possible(f"quantize={kind}", device.type)
    source = model if isinstance(model, Source) else resolve(model)
    base = base_source(source)
    if base.gguf_file:
        raise ConfigError(
            f"{base.path} is a GGUF file, which is not quantised again",
            remedy="Give the folder or hub id of the original model.",
        )
    own = source.path if source.is_local and (source.path / ADAPTER).is_file() else None
    if own is not None and adapter is not None:
        raise ConfigError(
            f"{source.location} has an adapter already, which cannot be merged into few bits to "
            f"make room for {adapter}",
            remedy="Merge it first with luciola merge, or load the model whole.",
        )
    options = {
        "quantization_config": settings_of(kind, compute),
        "device_map": {"": device.index or 0},
    }
    # With int8 it says at every product that bfloat16 becomes float16 inside.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    loaded: Any = load_plain(base, compute, attention, trust_remote_code, **options)
    loaded.requires_grad_(False)
    folder = own or adapter
    return (loaded if folder is None else put_adapter(loaded, folder)).eval()


def check_possible(
    setting: str,
    device: str,
    *,
    remedy: str = "Take adapter=lora quantize=none, or run it on a machine with a GPU.",
) -> None:
    """Raises: ConfigError without a GPU, MissingExtraError without bitsandbytes.

    Args:
        setting: what asks for few bits.
        device: cpu or cuda, which the model would be on.
        remedy: what to do without a GPU.
    """
    if device != "cuda":
        raise ConfigError(f"{setting} needs a CUDA GPU, and none is used here", remedy=remedy)
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtraError("bitsandbytes", extra="quantized", purpose=setting)


def settings_of(kind: str, compute: torch.dtype = torch.bfloat16) -> Any:
    """What transformers is told."""
    from transformers import BitsAndBytesConfig

    if kind == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def is_quantised(model: Any) -> bool:
    """Whether a model's weights are kept in few bits."""
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    return getattr(base, "quantization_method", None) is not None
