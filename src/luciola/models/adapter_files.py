"""An adapter's folder, judged before anything is merged: what kind it is, and whose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from luciola.errors import ModelError
from luciola.models.complaints import check_adapter, json_of
from luciola.models.source import ADAPTER, Source, resolve

UNMERGEABLE = {
    "PREFIX_TUNING": "prefix tuning adds keys and values to every layer",
    "PROMPT_TUNING": "prompt tuning adds tokens before the text",
    "MULTITASK_PROMPT_TUNING": "prompt tuning adds tokens before the text",
    "P_TUNING": "p-tuning adds tokens before the text",
    "ADAPTION_PROMPT": "adaption prompts add an attention of their own",
    "CPT": "context prompts add tokens before the text",
    "CARTRIDGE": "cartridges add keys and values to every layer",
    "XLORA": "X-LoRA mixes its adapters anew for every token",
    "POLY": "poly mixes its adapters by task",
    "HOULSBY": "a bottleneck adapter is a layer of its own, with a nonlinearity",
    "PFEIFFER": "a bottleneck adapter is a layer of its own, with a nonlinearity",
    "BOTTLENECK": "a bottleneck adapter is a layer of its own, with a nonlinearity",
}
"""Why there are no weights that the kind could be added into."""
WEIGHTS = "adapter_model.safetensors"


def adapter_source(adapter: str | Path) -> Source:
    """The folder of an adapter.

    Raises: ModelError where there is none, or what is there is a whole model.
    """
    source = resolve(adapter)
    if source.is_local and not source.gguf_file and (source.path / ADAPTER).is_file():
        return source
    raise ModelError(
        f"{adapter} is no adapter: it has no {ADAPTER}",
        remedy="Give the folder of an adapter, or of the run that trained it. "
        "A model that was trained whole needs no merging.",
    )


def kind(source: Source) -> str:
    """The kind of an adapter in capitals, as its configuration records it."""
    file = source.path / ADAPTER
    found = json_of(file).get("peft_type")
    if not found:
        raise ModelError(f"{file} does not say what kind it is")
    return str(found).upper()


def check_mergeable(source: Source) -> None:
    """Raises: ModelError for a damaged adapter, or one that is no change of the base's weights."""
    check_adapter(source.path)
    name = kind(source)
    if name in UNMERGEABLE:
        raise ModelError(
            f"the adapter in {source.path} cannot be merged: {UNMERGEABLE[name]}",
            remedy="Use base and adapter together; everything that takes a model takes its folder.",
        )


def embedding_rows(model: Any, folder: Path) -> int | None:
    """Rows of the embeddings that an adapter's file brings along; None where it brings none.

    Args:
        model: the base.
    """
    from safetensors import safe_open

    if not (folder / WEIGHTS).is_file():
        return None
    ends = _embedding_names(model)
    with safe_open(str(folder / WEIGHTS), "pt") as tensors:
        for name in tensors.keys():  # noqa: SIM118  # no mapping
            if name.endswith(".weight") and "lora" not in name and any(e in name for e in ends):
                return int(tensors.get_slice(name).get_shape()[0])
    return None


def _embedding_names(plain: Any) -> list[str]:
    """Where the embeddings and the output head are, as `.model.embed_tokens.`."""
    ends = [plain.get_input_embeddings(), plain.get_output_embeddings()]
    return [f".{name}." for name, module in plain.named_modules() if any(module is e for e in ends)]


def check_names(model: Any, folder: Path) -> None:
    """Whether an adapter's file and the layers that it was put on have the same names.

    peft leaves out what has no place, without a word.

    Raises: ModelError naming the first that differs.
    """
    import peft
    from safetensors import safe_open

    file = folder / WEIGHTS
    if not file.is_file():
        return
    with safe_open(str(file), "pt") as tensors:
        saved = set(tensors.keys())
    expected = set(peft.get_peft_model_state_dict(model, save_embedding_layers=False))
    ends = _embedding_names(model.get_base_model())  # saved along after a resize
    extra = sorted(name for name in saved - expected if not any(end in name for end in ends))
    missing = sorted(expected - saved)
    if extra or missing:
        problem = f"no place for {extra[0]}" if extra else f"no weights for {missing[0]}"
        raise ModelError(
            f"the adapter in {folder} does not fit its base {model.get_base_model().name_or_path}: "
            f"there is {problem}",
            remedy=f"Its base is named in {folder / ADAPTER}; give it the model it was trained on.",
        )
