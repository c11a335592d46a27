"""Layers that a rank-r product must not be added to, although they look linear.

A family's own subclass of Linear may give a tuple (routers), or multiply block by block (grouped
projections): there W x + B A x has no meaning. State-space mixers use some weights past the layer's
forward pass, where an adapter would be skipped in silence; peft refuses those by name.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

MIXERS = ("conv1d", "out_proj")


def leave_out(settings: Any, model: nn.Module) -> None:
    """Keep adapters on "all-linear" away from what `special_layers` finds; changes `settings`."""
    if getattr(settings, "target_modules", None) == "all-linear":
        found = special_layers(model)
        if found:
            settings.exclude_modules = found


def special_layers(model: nn.Module) -> list[str]:
    """Full names of a model's layers that only look linear."""
    from peft.tuners import tuners_utils

    refused = _refused_by(tuners_utils, model)
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and (_is_own_kind(module) or name.rsplit(".", 1)[-1] in refused)
    ]


def _is_own_kind(module: nn.Linear) -> bool:
    """Whether a family's own subclass gives something else than one row of W x for each x."""
    if not type(module).__module__.rpartition(".")[2].startswith("modeling_"):
        return False
    x = module.weight.new_zeros(1, 1, module.in_features)
    try:
        with torch.no_grad():
            y = module(x)
    except (RuntimeError, ValueError, TypeError, IndexError):
        return True
    return not isinstance(y, Tensor) or y.shape != (1, 1, module.out_features)


def _refused_by(tuners_utils: Any, model: nn.Module) -> tuple[str, ...]:
    """Names that peft refuses in this model; it gives no list, so it is asked."""
    check = getattr(tuners_utils, "_check_lora_target_modules_mamba", None)
    if check is None:
        return MIXERS if "mamba" in str(getattr(model.config, "model_type", "")) else ()
    return tuple(name for name in MIXERS if _is_refused(check, model, name))


def _is_refused(check: Any, model: nn.Module, name: str) -> bool:
    from peft import LoraConfig

    try:
        check(LoraConfig(), model, name)
    except ValueError:
        return True
    return False
