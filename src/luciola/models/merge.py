"""An adapter added into its base's weights, layer by layer in float32, and written as a model.

The base is loaded in the type that its files have, never in 4 bits: merging into quantised weights
rounds the adapter away. What was written is loaded again and must say what base and adapter said.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from luciola.errors import ConfigError, ModelError
from luciola.models import folders
from luciola.models.adapter_files import (
    adapter_source,
    check_mergeable,
    check_names,
    embedding_rows,
)
from luciola.models.adding import add_layer_by_layer, check_finite
from luciola.models.agreement import Agreement, Probe, check_explained, compare, probe_logits
from luciola.models.card import model_card
from luciola.models.load import base_source, load_config, load_model, load_tokenizer, put_adapter
from luciola.models.quiet import quiet
from luciola.models.rounding import Step, float_step
from luciola.models.save import original_dtype
from luciola.models.source import Source
from luciola.runs.atomic import replacing_folder

log = logging.getLogger(__name__)

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
SHARD_SIZE = "5GB"
FADED = 0.5


@dataclass(frozen=True)
class Merge:
    """What a merge came to.

    Args:
        folder: where the model is.
        dtype: of its weights: bf16, fp16 or fp32.
        size_bytes: of its files.
        seen: base with adapter against the merged model.
        rounding: the merged model against itself under noise as large as its rounding.
        effect: root mean square by which the adapter moves the base's logits.
    """

    folder: Path
    dtype: str
    size_bytes: int
    seen: Agreement
    rounding: Agreement
    effect: float


@dataclass(frozen=True)
class Adapted:
    """A model with its adapter in its weights, and what it said on the probe before.

    Args:
        model: plain transformers, in evaluation mode.
        tokenizer: of the adapter, or of its base.
        probe: what base and adapter said.
        effect: root mean square by which the adapter moves the base's logits.
        rounded: the names of parameters that are now rounded to the model's type.
    """

    model: Any
    tokenizer: Any
    probe: Probe
    effect: float
    rounded: frozenset[str]


def merge(
    adapter: str | Path, out: str | Path, *, dtype: str = "bf16", trust_remote_code: bool = False
) -> Merge:
    """Merge an adapter into its base and write the model, checked, into a new folder.

    Args:
        adapter: folder of an adapter, or of the run that trained it.
        out: folder to write; must be new or empty.
        dtype: of the weights written: bf16, fp16 or fp32.
        trust_remote_code: run Python code that comes with the base.

    Raises:
        ConfigError: `out` is not empty, or is the base or the adapter; an unknown dtype.
        ModelError: no adapter, one that cannot be merged or belongs to another base, or a merged
            model that does not say what the two said.
        StorageError: there is no space.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype must be {', '.join(DTYPES)}, got {dtype!r}")
    source, target = adapter_source(adapter), Path(out).expanduser()
    check_mergeable(source)
    base = base_source(source)
    folders.check_new(target, inputs={"adapter": source.path, "base": base.path})
    folders.check_space(target, folders.expected_bytes(base, DTYPES[dtype]))
    adapted = merged_model(source, DTYPES[dtype], trust_remote_code=trust_remote_code)
    needed = folders.weights_bytes(adapted.model)
    folders.check_space(target, needed)
    with replacing_folder(target, needed) as folder:
        _write(adapted, base, folder)
        done = _checked(adapted, folder, dtype, trust_remote_code)
        card = model_card(source, base, replace(done, folder=target))
        (folder / "README.md").write_text(card, encoding="utf-8")
    return replace(done, folder=target, size_bytes=folders.size_bytes(target))


def merged_model(source: Source, dtype: torch.dtype, *, trust_remote_code: bool = False) -> Adapted:
    """Load base and adapter, listen to both on the probe, and add the one into the other.

    Raises: ModelError as `merge` does.
    """
    kept = _check_unquantised(base_source(source), trust_remote_code)
    with warnings.catch_warnings():
        for known in (".*tie_word_embeddings.*", ".*missing adapter keys.*"):  # seen to below
            warnings.filterwarnings("ignore", known, UserWarning)
        model = _load(source, kept, trust_remote_code)
    check_names(model, source.path)
    tokenizer = load_tokenizer(source, trust_remote_code=trust_remote_code)
    probe = Probe.of(model, tokenizer)
    with model.disable_adapter():
        effect = compare(probe_logits(model, probe.rows), probe.logits).distance
    plain, touched = add_layer_by_layer(model, dtype)
    check_finite(plain, dtype)
    rounded = frozenset(n for n, _ in plain.named_parameters()) if kept != dtype else touched
    return Adapted(plain, tokenizer, probe, effect, rounded)


def _load(source: Source, dtype: torch.dtype, trust_remote_code: bool) -> Any:
    """Base and adapter; a base whose vocabulary grew while it was trained grows here too."""
    base: Any = load_model(base_source(source), dtype=dtype, trust_remote_code=trust_remote_code)
    rows = embedding_rows(base, source.path)
    if rows is not None and rows != base.get_input_embeddings().weight.shape[0]:
        with quiet():
            base.resize_token_embeddings(rows, mean_resizing=False)
    return put_adapter(base, source.path).eval()


def roundings(model: nn.Module, names: frozenset[str], dtype: torch.dtype) -> dict[str, Step]:
    """The steps of the parameters that were rounded; none where the type is float32."""
    if dtype == torch.float32:
        return {}
    step = float_step(dtype)
    return {name: step for name, _ in model.named_parameters() if name in names}


def _check_unquantised(base: Source, trusted: bool) -> torch.dtype:
    """The type of the base's files.

    Raises: ModelError where they are quantised.
    """
    if not base.gguf_file and _is_quantised(base, trusted):
        raise ModelError(
            f"the base {base.location} is stored quantised, and merging into such weights would "
            "round the adapter away",
            remedy="Name the same model in 16 bits as base_model_name_or_path in the adapter's "
            "adapter_config.json.",
        )
    return torch.float32 if base.gguf_file else original_dtype(base.location)


def _is_quantised(base: Source, trusted: bool) -> bool:
    config = load_config(base, trust_remote_code=trusted)
    return getattr(config, "quantization_config", None) is not None


def _write(adapted: Adapted, base: Source, folder: Path) -> None:
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        adapted.model.save_pretrained(str(folder), max_shard_size=SHARD_SIZE)
        adapted.tokenizer.save_pretrained(str(folder))
    folders.copy_code(base, adapted.model, folder)


def _checked(adapted: Adapted, folder: Path, dtype: str, trust_remote_code: bool) -> Merge:
    """Listen to what was written, beside noise of its rounding's size.

    Raises: ModelError where it says something else than base and adapter.
    """
    type_ = DTYPES[dtype]
    written: Any = load_model(folder, dtype=type_, trust_remote_code=trust_remote_code)
    noise = roundings(written, adapted.rounded, type_)
    seen, rounding = adapted.probe.compared(written, noise)
    check_explained(seen, rounding, what="the merged model", remedy=_remedy(dtype))
    if seen.distance > FADED * adapted.effect:
        log.warning(
            "rounding to %s moves the logits by %.2g, the adapter itself by %.2g only: "
            "--dtype fp32 keeps more of it",
            dtype,
            seen.distance,
            adapted.effect,
        )
    return Merge(folder, dtype, 0, seen, rounding, adapted.effect)


def _remedy(dtype: str) -> str:
    if dtype == "fp32":
        return "Nothing was written. The adapter may be of a kind that cannot be merged here."
    return "Nothing was written. Try --dtype fp32."
