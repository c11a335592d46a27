"""A model's shape without its weights: enough to count what would be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from luciola.models.complaints import check_folder
from luciola.models.load import load_config, load_model
from luciola.models.quiet import quiet
from luciola.models.source import ADAPTER, resolve

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def empty_model(
    name: str, *, trust_remote_code: bool = False, weights: bool = True
) -> PreTrainedModel:
    """The model on the meta device; a GGUF file or a folder with an adapter is loaded in full.

    Args:
        weights: refuse a folder without weights; a plan needs none.

    Raises: ModelError if it cannot be found, or its folder lacks configuration or weights.
    """
    from transformers import AutoModelForCausalLM

    source = resolve(name)
    if source.gguf_file or (source.is_local and (source.path / ADAPTER).is_file()):
        return load_model(source, trust_remote_code=trust_remote_code)
    if source.is_local:
        check_folder(source.path, weights=weights)
    config = load_config(source, trust_remote_code=trust_remote_code)
    with quiet(downloads=True), torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            config, trust_remote_code=trust_remote_code
        )
        model.tie_weights()
    return model
