"""A model made ready to answer: adapters merged, in the type that the device multiplies fastest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from luciola.errors import ConfigError
from luciola.models.adapters import merged, merged_if_possible
from luciola.models.load import load_model, put_adapter
from luciola.models.precision import computes_bfloat16
from luciola.models.source import Source

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def load_for_answers(
    model: str | Source,
    device: torch.device,
    *,
    adapter: Path | None = None,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """The model in evaluation mode; an adapter is merged in float32 before anything is rounded,
    and stays beside the weights where its kind has no merge.

    Args:
        adapter: folder of an adapter to put on it, on top of one that the model comes with.
        trust_remote_code: run Python code that comes with the model.

    Raises: ModelError if the model cannot be loaded, or the adapter does not fit it.
    """
    loaded: Any = load_model(
        model, dtype=torch.float32, device=device, trust_remote_code=trust_remote_code
    )
    if adapter is not None:
        if hasattr(loaded, "peft_config"):
            loaded = merged(loaded)
        loaded = put_adapter(loaded, adapter)
    loaded = merged_if_possible(loaded)
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
