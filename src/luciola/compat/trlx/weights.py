"""Which weights a TRLConfig trains, and how its optimizer moves them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from luciola.compat.trlx.config import TRLConfig
from luciola.compat.trlx.sections import ModelConfig, SchedulerConfig
from luciola.errors import ConfigError

log = logging.getLogger(__name__)

Settings = dict[str, Any]
OPTIMIZERS = {"adamw": "adamw", "adamw_8bit_bnb": "adamw8bit"}
RATES = {"lr": "lr", "betas": "betas", "weight_decay": "weight_decay", "eps": "adam_eps"}
LORA = {"r": "r", "lora_alpha": "alpha", "lora_dropout": "dropout", "target_modules": "targets"}


def trained(model: ModelConfig) -> Settings:
    """An adapter, every weight, or the last layers."""
    count = model.num_layers_unfrozen
    if model.peft_config is not None:
        if count != -1:
            log.warning("model.num_layers_unfrozen=%s is not used beside peft_config", count)
        return _adapter(model.peft_config)
    if count == 0:
        raise ConfigError(
            "model.num_layers_unfrozen is 0, so that no layer would be trained",
            remedy="Take -1 for all of them, or how many of the last.",
        )
    return {"adapter": "full"} if count < 0 else {"adapter": "freeze", "freeze_layers": count}


def _adapter(peft_config: Any) -> Settings:
    """LoRA as peft describes it."""
    given: Mapping[str, Any] = (
        peft_config if isinstance(peft_config, Mapping) else peft_config.to_dict()
    )
    kind = str(getattr(given.get("peft_type"), "value", given.get("peft_type", "LORA")))
    if kind != "LORA":
        raise ConfigError(f"model.peft_config is {kind}; here there is LORA, or None")
    lora = {ours: given[theirs] for theirs, ours in LORA.items() if given.get(theirs) is not None}
    targets = lora.get("targets")
    if targets is not None:
        lora["targets"] = [] if targets == "all-linear" else sorted(targets)
    return {"adapter": "lora", "lora": lora}


def optimizer(config: TRLConfig) -> Settings:
    """Its kind, its rates, and the learning rate over the steps."""
    name = config.optimizer.name
    if name not in OPTIMIZERS:
        raise ConfigError(f"optimizer.name is {name!r}; there is {' and '.join(OPTIMIZERS)}")
    given = config.optimizer.kwargs
    unknown = [key for key in given if key not in RATES]
    if unknown:
        raise ConfigError(
            f"optimizer.kwargs: unknown {', '.join(unknown)}",
            remedy=f"There is {', '.join(RATES)}.",
        )
    rates = {RATES[key]: value for key, value in given.items()}
    lr = float(rates.get("lr", 3e-5))
    return {"optimizer": OPTIMIZERS[name], **rates, "lr": lr, **_schedule(config, lr)}


def _schedule(config: TRLConfig, lr: float) -> Settings:
    """A cosine that is far from its end after all steps is a constant."""
    name, given = config.scheduler.name, config.scheduler.kwargs
    steps, usual = config.train.total_steps, SchedulerConfig().kwargs
    if name == "linear":  # what the default's cosine left there says nothing
        unread = [key for key, value in given.items() if usual.get(key) != value]
        if given.get("total_iters") == steps:
            unread.remove("total_iters")
    else:
        unread = [key for key in given if key not in usual]
        if steps != float(given.get("T_max", steps)) <= 10 * steps:
            unread.append("T_max")
    if unread:
        log.warning(
            "scheduler.kwargs: no effect here: %s; the schedule goes over all %d steps",
            ", ".join(unread),
            steps,
        )
    if name == "linear":
        return {"schedule": "linear"}
    if name != "cosine_annealing":
        raise ConfigError(f"scheduler.name is {name!r}; there is cosine_annealing and linear")
    if float(given.get("T_max", 0)) > 10 * config.train.total_steps:
        return {"schedule": "constant"}
    return {"schedule": "cosine", "min_lr": min(1.0, float(given.get("eta_min", 0)) / lr)}
