"""What of a model is trained: every weight, or low-rank adapters through peft."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from luciola.config.training import LoraConfig
from luciola.errors import ConfigError
from luciola.models.quiet import quiet
from luciola.seeds import seed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ParameterCount:
    """How many numbers a model has, and how many of them are trained."""

    trained: int
    total: int

    def __str__(self) -> str:
        return f"{self.trained:,} of {self.total:,} parameters ({self.trained / self.total:.2%})"


def attach_lora(model: nn.Module, config: LoraConfig, *, run_seed: int) -> nn.Module:
    """Freeze `model` and put low-rank adapters on its linear layers; float32, whatever the base's
    type.

    Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685, section 4.1: W + (alpha / r) B A, B =
        0 at start.
    Args:
        model: a causal language model of transformers; changed in place.
        config: rank, alpha, dropout, targets (empty: every linear layer but the output head).
        run_seed: A's random start follows from it.

    Raises: ConfigError if a target names no layer.
    """
    import peft

    torch.manual_seed(seed(run_seed, "adapter"))
    settings = adapter_settings(config)
    with quiet():
        try:
            return peft.get_peft_model(model, settings)
        except ValueError as error:
            if "not found in the base model" not in str(error):
                raise
            linear = sorted(
                {n.rsplit(".", 1)[-1] for n, m in model.named_modules() if isinstance(m, nn.Linear)}
            )
            raise ConfigError(
                f"lora.targets={','.join(config.targets)} names no layer of this model",
                remedy=f"Its linear layers are {', '.join(linear)}.",
            ) from None


def adapter_settings(config: LoraConfig) -> Any:
    """The settings as peft takes them."""
    import peft

    return peft.LoraConfig(
        r=config.r,
        lora_alpha=config.alpha,  # type: ignore[arg-type]  # any number
        lora_dropout=config.dropout,
        target_modules=list(config.targets) or "all-linear",
        task_type="CAUSAL_LM",
    )


def continue_adapter(model: Any) -> nn.Module:
    """Train the adapter that a loaded model has already; another on top would leave it behind.

    Args:
        model: one of peft, as `load_model` gives it for an adapter's folder.
    """
    name = model.active_adapter
    model.set_adapter(name)  # which also lets gradients reach it
    settings = model.peft_config[name]
    log.warning(
        "training goes on with the adapter that is there (r=%s, alpha=%s); the recipe's lora "
        "settings are not used",
        getattr(settings, "r", "?"),
        getattr(settings, "lora_alpha", "?"),
    )
    return model


def merged(model: Any) -> nn.Module:
    """A model with its adapter added into its weights."""
    with quiet():
        return model.merge_and_unload()


def count_parameters(module: nn.Module) -> ParameterCount:
    """Trained and total parameters; tied weights count once."""
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return ParameterCount(trained, sum(p.numel() for p in module.parameters()))


def trained_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """The trained parameters by name, in the module's order."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}
