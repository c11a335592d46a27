"""Loading tokenizers and causal language models: bundled, from a folder, a GGUF file or the hub.

A folder with an adapter loads its base and puts the adapter on it. Every failure that a person can
mend is a ModelError that says what was seen and where. Quantised loading is left out.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.errors import ModelError
from luciola.models import gguf, hub, implementation
from luciola.models.adapter_base import base_of, record_base
from luciola.models.complaints import (
    any_file,
    check_adapter,
    check_complete,
    check_folder,
    check_language_model,
    explaining,
    first_line,
)
from luciola.models.quiet import quiet
from luciola.models.source import ADAPTER, Source, resolve

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json")


def load_tokenizer(
    model: str | Path | Source, *, trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """The tokenizer of a model; an adapter without one of its own has its base's.

    Raises: ModelError where there is none, or the model itself cannot be found.
    """
    source = model if isinstance(model, Source) else resolve(model)
    if source.gguf_file:
        return gguf.read_tokenizer(source.path)
    if source.is_local and not any_file(source.path, TOKENIZER_FILES):
        if (source.path / ADAPTER).is_file():
            return load_tokenizer(base_of(source.path), trust_remote_code=trust_remote_code)
        raise ModelError(
            f"{source.location} has no tokenizer (none of {', '.join(TOKENIZER_FILES)})",
            remedy="Copy the tokenizer's files of the original model into that folder.",
        )
    return _load_tokenizer(source, trust_remote_code)


def load_config(model: str | Path | Source, *, trust_remote_code: bool = False) -> PretrainedConfig:
    """The configuration of a model of transformers; of an adapter its base's.

    Raises: ModelError where it cannot be read.
    """
    from transformers import AutoConfig

    source = base_source(model)
    offline = source.is_local or not hub.is_reachable(source.location)
    with explaining("model", source, offline):
        return AutoConfig.from_pretrained(
            source.location, local_files_only=offline, trust_remote_code=trust_remote_code
        )


def base_source(model: str | Path | Source) -> Source:
    """Where a model's own files are; of an adapter's folder those of its base."""
    source = model if isinstance(model, Source) else resolve(model)
    is_adapter = source.is_local and not source.gguf_file and (source.path / ADAPTER).is_file()
    return base_of(source.path) if is_adapter else source


def load_model(
    model: str | Path | Source,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    attention: str = "sdpa",
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """A causal language model in evaluation mode; with its adapter on, where the folder holds one.

    Args:
        model: bundled name, folder (of a model, an adapter or a run), GGUF file, or hub id.
        dtype: of the weights; None: float32.
        device: where the weights go.
        attention: transformers' name of an attention function, or "luciola" for packs and trees;
            where the family lacks "sdpa" or "luciola" it gets the best that it has.
        trust_remote_code: run Python code that comes with the model.

    Raises: ModelError saying what was seen, where, and what to do.
    """
    import torch

    source = model if isinstance(model, Source) else resolve(model)
    dtype = dtype or torch.float32
    loaded: Any
    if source.gguf_file:
        loaded = gguf.read_model(source.path)
        loaded.to(dtype=dtype)
        loaded.set_attn_implementation(_registered(attention))
    elif source.is_local and (source.path / ADAPTER).is_file():
        base = load_model(
            base_of(source.path),
            dtype=dtype,
            attention=attention,
            trust_remote_code=trust_remote_code,
        )
        loaded = put_adapter(base, source.path)
    else:
        loaded = load_plain(source, dtype, attention, trust_remote_code)
    loaded.to(device)
    return loaded.eval()


def end_ids(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel | None = None
) -> tuple[int, ...]:
    """Ids that end an answer: the tokenizer's end token and those the model generates up to."""
    found = [tokenizer.eos_token_id]
    if model is not None and model.generation_config is not None:
        listed = model.generation_config.eos_token_id
        found += listed if isinstance(listed, list) else [listed]
    return tuple(dict.fromkeys(id for id in found if id is not None))


def _load_tokenizer(source: Source, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    offline = source.is_local or not hub.is_reachable(source.location)
    with explaining("tokenizer", source, offline):
        return AutoTokenizer.from_pretrained(
            source.location, local_files_only=offline, trust_remote_code=trust_remote_code
        )


def load_plain(
    source: Source, dtype: torch.dtype, attention: str, trust_remote_code: bool, **options: Any
) -> PreTrainedModel:
    """A model's own files, without any adapter; `options` go to transformers.

    Raises: ModelError as `load_model` does.
    """
    from transformers import AutoConfig

    offline = source.is_local or not hub.is_reachable(source.location)
    if source.is_local:
        check_folder(source.path)
    reading = {"local_files_only": offline, "trust_remote_code": trust_remote_code}
    with explaining("model", source, offline):
        config = AutoConfig.from_pretrained(source.location, **reading)
        check_language_model(config, source)
        names = implementation.candidates(config, attention)
        model, info = _load_with(names, source, dtype, reading | options)
    check_complete(info["missing_keys"], source)
    if source.is_local:  # what an adapter on it records: the same from any working directory
        model.name_or_path = str(source.path.absolute())
    with quiet():
        implementation.settle(model)
    return model


def _load_with(
    names: tuple[str, ...], source: Source, dtype: torch.dtype, options: dict[str, Any]
) -> Any:
    """The model with the first of these attention functions that it can be built with."""
    from transformers import AutoModelForCausalLM

    name, *others = names
    try:
        return AutoModelForCausalLM.from_pretrained(
            source.location,
            dtype=dtype,
            attn_implementation=_registered(name),
            output_loading_info=True,
            **options,
        )
    except (KeyError, ValueError, ImportError) as error:
        if not others or not implementation.is_refusal(error, name):
            raise
        return _load_with(tuple(others), source, dtype, options)


def put_adapter(base: PreTrainedModel, folder: Path) -> Any:
    """A model with the adapter of a folder on it.

    Raises: ModelError where it is damaged or does not fit.
    """
    from peft import PeftModel

    from luciola.models.adapter_weights import fill
    from luciola.models.bottleneck import register
    from luciola.models.new_tokens import grow_for
    from luciola.models.virtual_tokens import with_own_pass

    check_adapter(folder)
    register()
    try:
        with quiet():
            grow_for(base, folder / ADAPTER)
            with warnings.catch_warnings():  # lost weights are only a warning of peft
                warnings.filterwarnings("ignore", ".*missing adapter keys.*", UserWarning)
                adapted = PeftModel.from_pretrained(base, str(folder), local_files_only=True)
            fill(adapted, folder)
            record_base(adapted, base)
            return with_own_pass(adapted)
    except Exception as error:  # as in explaining
        raise ModelError(
            f"the adapter in {folder} does not fit its base {base.name_or_path} "
            f"({first_line(error)})",
            remedy=f"Its base is named in {folder / ADAPTER}; give it the model it was trained on.",
        ) from error


def _registered(name: str) -> str:
    if name == "luciola":
        from luciola.models import attention

        attention.register()
    return name
