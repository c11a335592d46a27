"""What of a model is trained: every weight, its last layers, or an adapter of any kind."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from luciola.config.training import LOW_RANK, LoraConfig, TrainingConfig
from luciola.errors import ConfigError
from luciola.models import new_tokens, pissa
from luciola.models.adapter_kinds import (
    can_merge,
    linear_layer_names,
    low_rank_settings,
    merges,
    peft_settings,
)
from luciola.models.casting import cast_by_autocast
from luciola.models.lora_targets import leave_out
from luciola.models.parts import decoder_layers
from luciola.models.quiet import quiet
from luciola.models.virtual_tokens import with_own_pass
from luciola.seeds import seed

log = logging.getLogger(__name__)

__all__ = ["can_merge", "merges", "peft_settings"]  # of adapter_kinds, for those who adapt


@dataclass(frozen=True)
class ParameterCount:
    """How many numbers a model has, and how many of them are trained."""

    trained: int
    total: int

    def __str__(self) -> str:
        return f"{self.trained:,} of {self.total:,} parameters ({self.trained / self.total:.2%})"


def attach_adapter(
    model: nn.Module, config: TrainingConfig, *, new_ids: Sequence[int] = ()
) -> nn.Module:
    """Freeze `model` and put the recipe's kind of adapter on it; float32, whatever the base's type.

    Args:
        model: a causal language model of transformers; changed in place.
        config: the kind, its settings, and the seed that its random start follows from.
        new_ids: tokens whose embeddings are trained besides.

    Raises: ConfigError if the model has no such parts.
    """
    if config.adapter in LOW_RANK:
        adapted = attach_lora(
            model, config.lora, run_seed=config.seed, kind=config.adapter, new_ids=new_ids
        )
    else:
        adapted = _attach(model, peft_settings(config, model), config.lora, config.seed)
    return with_own_pass(adapted)


def attach_lora(
    model: nn.Module,
    config: LoraConfig,
    *,
    run_seed: int,
    kind: str = "lora",
    new_ids: Sequence[int] = (),
) -> nn.Module:
    """Freeze `model` and put low-rank adapters on its linear layers.

    Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685, section 4.1: W + (alpha / r) B A, B =
        0 at start.
    Args:
        model: a causal language model of transformers; changed in place.
        config: rank, alpha, dropout, targets (empty: every linear layer but the output head).
        run_seed: A's random start follows from it.
        kind: lora, qlora, dora, rslora or pissa.
        new_ids: tokens whose embeddings are trained besides.

    Raises: ConfigError if a target names no layer.
    """
    settings = low_rank_settings(config, kind)
    if new_ids:
        settings.trainable_token_indices = new_tokens.indices(model, new_ids)
    adapted = _attach(model, settings, config, run_seed)
    if kind == "pissa":
        pissa.begin(adapted, run_seed=run_seed)
    return adapted


def _attach(model: nn.Module, settings: Any, lora: LoraConfig, run_seed: int) -> nn.Module:
    import peft

    torch.manual_seed(seed(run_seed, "adapter"))
    leave_out(settings, model)
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*fan_in_fan_out is set to False.*", UserWarning)
        try:
            return cast_by_autocast(peft.get_peft_model(model, settings))
        except ValueError as error:
            if "not found in the base model" not in str(error):
                raise
            raise ConfigError(
                f"lora.targets={','.join(lora.targets)} names no layer of this model",
                remedy=f"Its linear layers are {', '.join(linear_layer_names(model))}.",
            ) from None


def train_last_layers(model: nn.Module, count: int) -> nn.Module:
    """Freeze all but the last `count` decoder layers; those become float32.

    Raises: ConfigError if the model has fewer.
    """
    layers = decoder_layers(model)
    if count > len(layers):
        raise ConfigError(
            f"freeze_layers={count}, but the model has {len(layers)} layers",
            remedy=f"Take 1 to {len(layers)}, or adapter=full for every weight.",
        )
    model.requires_grad_(False)
    for _, layer in layers[-count:]:
        layer.float().requires_grad_(True)
    return model


def continue_adapter(model: Any) -> nn.Module:
    """Train the adapter that a loaded model has already; another on top would leave it behind.

    Args:
        model: one of peft, as `load_model` gives it for an adapter's folder.
    """
    name = model.active_adapter
    settings = model.peft_config[name]
    cast_by_autocast(model)
    if settings.is_prompt_learning:
        _continue_virtual(model)
    else:
        model.set_adapter(name)  # which also lets gradients reach it
    log.warning(
        "training goes on with the adapter that is there (%s); the recipe's settings of adapters "
        "are not used",
        _in_words(settings),
    )
    return model


def _continue_virtual(model: Any) -> None:
    """Of virtual tokens a folder keeps what they came to, not the network that they came from: now
    they are trained themselves.
    """
    for encoder in model.prompt_encoder.values():
        encoder.embedding.requires_grad_(True)


def _in_words(settings: Any) -> str:
    kind = str(getattr(settings.peft_type, "value", settings.peft_type)).lower()
    figures = {"r": "r", "lora_alpha": "alpha", "num_virtual_tokens": "tokens", "size": "size"}
    known = [
        f"{ours}={getattr(settings, k)}" for k, ours in figures.items() if hasattr(settings, k)
    ]
    return ", ".join([kind, *known])


def merged(model: Any) -> nn.Module:
    """A model with its adapter added into its weights.

    Raises: ConfigError for a kind that is no change of weights.
    """
    if not merges(model):
        kind = _in_words(model.peft_config[model.active_adapter])
        raise ConfigError(
            f"the adapter that the model comes with ({kind}) cannot be added into its weights",
            remedy="Go on with it (any adapter= but full and freeze), or begin from its base.",
        )
    with quiet():
        return model.merge_and_unload()


def merged_if_possible(model: Any) -> nn.Module:
    """A model ready to answer: its adapter in its weights, or beside them where there is no merge;
    a model without one as it is.
    """
    return merged(model) if hasattr(model, "peft_config") and merges(model) else model


def count_parameters(module: nn.Module) -> ParameterCount:
    """Trained and total parameters; tied weights count once."""
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return ParameterCount(trained, sum(p.numel() for p in module.parameters()))


def trained_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """The trained parameters by name, in the module's order."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}
