"""Reading and writing the folders of models with a value head, the original's included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from luciola.errors import MissingExtraError
from luciola.models.load import load_model
from luciola.models.quiet import quiet
from luciola.models.source import resolve

HEAD = "v_head."
"""What the names of a value head's weights begin with."""
HEAD_FILE = "v_head.safetensors"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
OURS = {"dtype", "torch_dtype", "trust_remote_code"}
"""What `load_model` understands; anything else goes to transformers as it is."""


def load_language_model(
    model: Any, *, peft_config: Any, is_trainable: bool, loading: Mapping[str, Any]
) -> Any:
    """The model to put a head on, with its adapter where one is asked for or there.

    Raises: ModelError saying what was seen, where, and what to do.
    """
    loaded = _loaded(model, loading) if isinstance(model, str | Path) else model
    if is_trainable and hasattr(loaded, "peft_config"):
        loaded.set_adapter(loaded.active_adapter)  # which lets gradients reach it
    if peft_config is None:
        return loaded
    import peft

    with quiet():
        if getattr(loaded, "is_quantized", False):
            loaded = peft.prepare_model_for_kbit_training(loaded)
        return peft.get_peft_model(loaded, peft_config)


def _loaded(model: str | Path, loading: Mapping[str, Any]) -> Any:
    if set(loading) <= OURS:
        return load_model(
            model,
            dtype=_dtype(loading.get("dtype", loading.get("torch_dtype"))),
            trust_remote_code=bool(loading.get("trust_remote_code", False)),
        )
    return _loaded_by_transformers(model, loading)


def _dtype(given: Any) -> torch.dtype | None:
    """A type as transformers takes it: itself, its name, or None."""
    return getattr(torch, given) if isinstance(given, str) else given


def _loaded_by_transformers(model: str | Path, loading: Mapping[str, Any]) -> Any:
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    options = dict(loading)
    bits = {n: options.pop(n) for n in ("load_in_4bit", "load_in_8bit") if n in options}
    if any(bits.values()):
        options["quantization_config"] = BitsAndBytesConfig(**bits)
    try:
        return AutoModelForCausalLM.from_pretrained(resolve(model).location, **options)
    except ImportError as error:
        if "bitsandbytes" not in str(error):
            raise
        raise MissingExtraError(
            "bitsandbytes", extra="quantized", purpose="loading in 4 or 8 bits"
        ) from None


def write_head(head: nn.Module, folder: Path) -> None:
    """Put the value head beside a saved model."""
    from safetensors.torch import save_file

    state = {f"{HEAD}{name}": value.contiguous() for name, value in head.state_dict().items()}
    save_file(state, str(folder / HEAD_FILE))


def read_head(model: Any) -> dict[str, Tensor] | None:
    """The value head that was saved with a model; None where there is none.

    Also finds a head among the model's own weights, where the original put it.
    """
    if not isinstance(model, str | Path):
        return None
    source = resolve(model)
    if source.gguf_file:
        return None
    for name in (HEAD_FILE, *WEIGHT_FILES, *_shards(source.location, source.is_local)):
        file = _file(source.location, name, source.is_local)
        found = {} if file is None else _head_in(file)
        if found:
            return found
    return None


def _shards(location: str, is_local: bool) -> list[str]:
    """The files that hold a head, where the weights are in several."""
    names: set[str] = set()
    for weights in WEIGHT_FILES:
        index = _file(location, f"{weights}.index.json", is_local)
        if index is not None:
            placed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            names |= {file for name, file in placed.items() if name.startswith(HEAD)}
    return sorted(names)


def _file(location: str, name: str, is_local: bool) -> Path | None:
    """A file of a folder, or of a hub model that was loaded just now."""
    if is_local:
        path = Path(location, name)
        return path if path.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(location, name)
    if found is None and name == HEAD_FILE:  # loading the model did not ask for it
        found = _fetched(location, name)
    return Path(found) if isinstance(found, str) else None


def _fetched(location: str, name: str) -> str | None:
    """A small file of a hub model; None where it has none, or there is no hub to ask."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    from luciola.models import hub

    try:
        return hf_hub_download(location, name) if hub.is_reachable(location) else None
    except EntryNotFoundError:
        return None


def _head_in(file: Path) -> dict[str, Tensor]:
    """Weights of a value head in a file, under the head's own names."""
    if file.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(str(file), framework="pt") as opened:
            names = [name for name in opened.keys() if name.startswith(HEAD)]  # noqa: SIM118
            return {name.removeprefix(HEAD): opened.get_tensor(name) for name in names}
    state = torch.load(file, map_location="cpu", weights_only=True)
    return {k.removeprefix(HEAD): v for k, v in state.items() if k.startswith(HEAD)}
