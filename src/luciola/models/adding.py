"""An adapter added into the weights of its base, in place, layer by layer."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import torch
from torch import nn

from luciola.errors import ModelError
from luciola.models.quiet import quiet

log = logging.getLogger(__name__)


def add_layer_by_layer(model: Any, dtype: torch.dtype) -> tuple[Any, frozenset[str]]:
    """Merge each layer in float32 and round it to `dtype` at once, so that one only is held wide.

    Returns: the plain model, and the names of the parameters that the adapter changed.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    was_tied = _is_tied(model.config)
    _part_tied_embeddings(model)
    touched: set[int] = set()
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*already merged.*", UserWarning)
        for known in (".*no longer tied.*", ".*tie_word_embeddings.*"):  # _settle_tying sees to it
            warnings.filterwarnings("ignore", known, UserWarning)
        for module in list(model.modules()):
            if isinstance(module, BaseTunerLayer) and not hasattr(module, "modules_to_save"):
                base = module.get_base_layer()
                base.float()
                module.merge(safe_merge=True)
                base.to(dtype)
                touched |= {id(p) for p in base.parameters()}
        plain = model.merge_and_unload()
    touched |= {id(p) for p in plain.parameters() if p.dtype != dtype}
    plain.to(dtype)
    plain.config.dtype = dtype
    if was_tied:
        _settle_tying(plain)
    return plain.eval(), frozenset(n for n, p in plain.named_parameters() if id(p) in touched)


def _part_tied_embeddings(model: Any) -> None:
    """Give the output head weights of its own where an adapter changes one end of a tied pair."""
    plain = model.get_base_model()
    ends = [plain.get_input_embeddings(), plain.get_output_embeddings()]
    if None in ends:
        return
    changed = [hasattr(end, "base_layer") or hasattr(end, "modules_to_save") for end in ends]
    inner, outer = (_inmost(end) for end in ends)
    if outer.weight is inner.weight and any(changed):
        outer.weight = nn.Parameter(outer.weight.detach().clone(), requires_grad=False)


def _inmost(module: Any) -> Any:
    while hasattr(module, "base_layer") or hasattr(module, "original_module"):
        module = getattr(module, "base_layer", None) or module.original_module
    return module


def _settle_tying(model: Any) -> None:
    """Tie the embeddings again if both ends are equal, else record that they no longer are."""
    inner, outer = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    stays = inner.shape == outer.shape and torch.equal(inner, outer)
    if stays:
        model.get_output_embeddings().weight = inner
    else:
        log.warning("the adapter changed one end of tied embeddings: both are written out now")
        model.all_tied_weights_keys = {}
    for settings in (model.config, model.config.get_text_config()):
        settings.tie_word_embeddings = stays


def _is_tied(config: Any) -> bool:
    return bool(config.tie_word_embeddings or config.get_text_config().tie_word_embeddings)


def check_finite(model: nn.Module, dtype: torch.dtype) -> None:
    """Raises: ModelError where a weight has grown beyond its type."""
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise ModelError(
                f"{name} holds numbers that {str(dtype).removeprefix('torch.')} cannot",
                remedy="Merge with --dtype bf16, whose range is float32's.",
            )
