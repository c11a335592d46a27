"""A model's weights as llama.cpp wants them: its names, its order of rotary rows, its types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from luciola.errors import ModelError
from luciola.export.architecture import Architecture
from luciola.models.rounding import Q8_BLOCK, Step, float_step, q8_step

Kind = Literal["f16", "q8_0"]
KINDS: dict[str, gguf.LlamaFileType] = {
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
HEADS = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}
Type = gguf.GGMLQuantizationType
STEPS: dict[Type, Step] = {Type.F16: float_step(torch.float16), Type.Q8_0: q8_step}


@dataclass(frozen=True)
class Entry:
    """One tensor of the file to be.

    Args:
        source: name of the parameter in transformers.
        name: llama.cpp's name.
        weight: as transformers has it.
        type: of its numbers in the file.
        heads: over how many heads its rotary rows are to be interleaved; 0: they are not.
    """

    source: str
    name: str
    weight: Tensor
    type: Type
    heads: int

    @property
    def byte_shape(self) -> tuple[int, ...]:
        """The shape of its bytes in the file."""
        block, size = gguf.GGML_QUANT_SIZES[self.type]
        *rows, columns = self.weight.shape
        return (*rows, columns // block * size)

    @property
    def num_bytes(self) -> int:
        """Its size in the file."""
        return int(np.prod(self.byte_shape))

    def data(self) -> NDArray[np.uint8]:
        """Its bytes. Raises: ModelError where a number is beyond what the type can hold."""
        wide = self.weight.detach().float().numpy()
        values = interleaved(wide, self.heads) if self.heads else wide
        if self.type == Type.F16 and np.abs(values).max(initial=0) > np.finfo(np.float16).max:
            raise ModelError(
                f"{self.source} holds numbers that float16 cannot",
                remedy="Such a model loses too much in GGUF's f16 and q8_0.",
            )
        raw = gguf.quants.quantize(np.ascontiguousarray(values), self.type)
        return np.ascontiguousarray(raw).view(np.uint8)


def entries(model: Any, architecture: Architecture, kind: Kind) -> Iterator[Entry]:
    """Every tensor of the file to be, in the model's order; tied weights once.

    Raises: ModelError for a parameter that llama.cpp has no name for.
    """
    arch = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture.name)
    names = gguf.get_tensor_name_map(arch, model.config.num_hidden_layers)
    for source, weight in model.named_parameters():
        name = names.get_name(source, (".weight", ".bias"))
        if name is None:
            raise ModelError(f"llama.cpp has no place for the weight {source}")
        heads = _heads(source, model.config) if architecture.interleaved else 0
        yield Entry(source, name, weight, _type(weight, kind), heads)


def steps(found: list[Entry]) -> dict[str, Step]:
    """The roundings that writing makes, by parameter of the model that is read back."""
    return {entry.source: STEPS[entry.type] for entry in found if entry.type in STEPS}


def interleaved(weight: NDArray[Any], heads: int) -> NDArray[Any]:
    """Rows of each head from (first halves, second halves) to pairs side by side."""
    split = weight.reshape(heads, 2, -1, *weight.shape[1:])
    return split.swapaxes(1, 2).reshape(weight.shape)


def _heads(source: str, config: Any) -> int:
    return next((getattr(config, key) for part, key in HEADS.items() if f".{part}." in source), 0)


def _type(weight: Tensor, kind: Kind) -> Type:
    """Vectors stay float32, as llama.cpp wants them; rows without whole blocks float16."""
    if weight.ndim < 2:
        return Type.F32
    return Type.Q8_0 if kind == "q8_0" and weight.shape[-1] % Q8_BLOCK == 0 else Type.F16
