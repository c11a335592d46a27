"""A model made ready to answer: adapters merged, in the type that the device multiplies fastest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from luciola.errors import ConfigError
from luciola.models.load import load_model
from luciola.models.precision import computes_bfloat16
from luciola.models.quiet import quiet
from luciola.models.source import Source

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_for_answers(model: str | Source, device: torch.device) -> PreTrainedModel:
    """The model in evaluation mode; an adapter is merged in float32 before anything is rounded.

    Raises: ModelError if the model cannot be loaded.
    """
    loaded: Any = load_model(model, dtype=torch.float32, device=device)
    if hasattr(loaded, "peft_config"):
        with quiet():
            loaded = loaded.merge_and_unload()
    if computes_bfloat16(device):
        loaded.to(torch.bfloat16)
    return loaded.eval()


def best_device(wanted: str = "auto") -> torch.device:
    """The GPU where there is one, unless the CPU is asked for.

    Raises: ConfigError if a GPU is asked for and there is none, or for another word.
    """
    has_gpu = torch.cuda.is_available()
    if wanted == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    if wanted not in ("cpu", "cuda"):
        raise ConfigError(f"device must be auto, cpu or cuda, got {wanted!r}")
    if wanted == "cuda" and not has_gpu:
        raise ConfigError(
            "device=cuda, but torch sees no GPU here",
            remedy="Leave device=auto, or look at `luciola doctor`.",
        )
    return torch.device(wanted)
