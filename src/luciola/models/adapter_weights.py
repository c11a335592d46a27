"""An adapter's weights as its file has them, where peft's renaming of keys loses some.

transformers renames the weights of some families while loading, and peft renames an adapter's by
the same rules; where a rule matches its own result, those weights stay at their random start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from luciola.errors import ModelError

FILE = "adapter_model.safetensors"
PARTS = (".lora_A.", ".lora_B.", ".lora_magnitude_vector.", ".ia3_l.")


@torch.no_grad()
def fill(model: Any, folder: Path) -> None:
    """Put weights of the folder where the names of the file say, as far as they differ.

    Raises: ModelError where a low-rank weight of the model is not in the file.
    """
    if not (folder / FILE).is_file():
        return
    from safetensors.torch import load_file

    saved = load_file(str(folder / FILE))
    name = model.active_adapter
    for key, parameter in model.named_parameters():
        if f".{name}" not in key or not any(part in key for part in PARTS):
            continue
        plain = key.replace(f".{name}", "", 1)
        value = saved.get(plain, saved.get(plain.removesuffix(".weight")))  # so DoRA's lengths
        if value is None or value.shape != parameter.shape:
            raise ModelError(f"{folder / FILE} lacks {key}, or has it in another shape")
        if not torch.equal(parameter.cpu(), value.to(parameter.dtype)):
            parameter.copy_(value)
