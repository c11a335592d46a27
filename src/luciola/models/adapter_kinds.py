"""Each kind of adapter as peft takes it, for the model at hand, and which have a merge."""

from __future__ import annotations

from typing import Any

from torch import nn

from luciola.config.training import BOTTLENECKS, LOW_RANK, LoraConfig, TrainingConfig
from luciola.models import parts

MERGEABLE = (*LOW_RANK, "rs_lora", "ia3", "adalora", "loha", "lokr", "vera", "oft", "boft", "hra")
"""Kinds, ours and peft's, that are a change of the base's weights."""


def can_merge(kind: str) -> bool:
    """Whether an adapter of this kind can be added into its base's weights.

    Args:
        kind: as in `adapter=`, or as in adapter_config.json, in any case.
    """
    return kind.lower() in MERGEABLE


def merges(model: Any) -> bool:
    """The same of a model inside peft: of all its adapters."""
    return all(can_merge(_kind(settings)) for settings in model.peft_config.values())


def _kind(settings: Any) -> str:
    return str(getattr(settings.peft_type, "value", settings.peft_type))


def peft_settings(config: TrainingConfig, model: Any, *, task: str = "CAUSAL_LM") -> Any:
    """The recipe's adapter as peft takes it, with its targets found in `model`.

    Raises: ConfigError where the model has no such parts.
    """
    kind = config.adapter
    if kind in LOW_RANK:
        return low_rank_settings(config.lora, kind, task=task)
    if kind == "ia3":
        return _ia3(config, model, task)
    if kind in BOTTLENECKS:
        return _bottleneck(config, model, task)
    return _virtual(config, task)


def low_rank_settings(lora: LoraConfig, kind: str = "lora", *, task: str = "CAUSAL_LM") -> Any:
    """LoRA and what differs by a switch.

    Sources: rsLoRA scales by alpha / √r, Kalajdzievski 2023, https://arxiv.org/abs/2312.03732;
        DoRA trains length and direction apart, Liu et al. 2024, https://arxiv.org/abs/2402.09353;
        PiSSA begins with the largest singular values (see `pissa`).
    """
    import peft

    halves = 2 if kind == "pissa" else 1
    return peft.LoraConfig(
        r=lora.r * halves,
        lora_alpha=lora.alpha * halves,  # type: ignore[arg-type]  # any number
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets) or "all-linear",
        use_rslora=kind == "rslora",
        use_dora=kind == "dora",
        task_type=task,
    )


def _ia3(config: TrainingConfig, model: Any, task: str) -> Any:
    """Source: Liu et al. 2022, section 3.3, https://arxiv.org/abs/2205.05638: learned vectors scale
    keys, values and the inner activations of the feed-forward parts.
    """
    import peft

    inner = parts.last_feed_forward_layers(model)
    targets = list(config.lora.targets)
    if targets:
        inner = [name for name in inner if name.rsplit(".", 1)[-1] in targets]
    return peft.IA3Config(
        target_modules=targets or [*parts.key_value_layers(model), *inner],
        feedforward_modules=inner,
        task_type=task,
    )


def _bottleneck(config: TrainingConfig, model: Any, task: str) -> Any:
    from luciola.models.bottleneck import HoulsbyConfig, PfeifferConfig, register

    register()
    width = int(model.config.get_text_config().hidden_size)
    behind = parts.feed_forward_parts(model)
    if config.adapter == "houlsby":
        behind += parts.attention_parts(model)
    settings = HoulsbyConfig if config.adapter == "houlsby" else PfeifferConfig
    return settings(
        target_modules=set(behind),
        width=width,
        size=max(1, width // config.bottleneck.reduction),
        nonlinearity=config.bottleneck.nonlinearity,
        task_type=task,
    )


def _virtual(config: TrainingConfig, task: str) -> Any:
    """Sources: prefixes, Li & Liang 2021, https://arxiv.org/abs/2101.00190; prompts, Lester et al.
    2021, https://arxiv.org/abs/2104.08691; p-tuning, Liu et al. 2021,
    https://arxiv.org/abs/2103.10385.
    """
    import peft

    virtual = config.virtual
    if config.adapter == "prompt":
        return peft.PromptTuningConfig(num_virtual_tokens=virtual.count, task_type=task)
    if config.adapter == "ptuning":
        return peft.PromptEncoderConfig(
            num_virtual_tokens=virtual.count,
            encoder_hidden_size=virtual.hidden,
            task_type=task,
        )
    return peft.PrefixTuningConfig(
        num_virtual_tokens=virtual.count,
        prefix_projection=virtual.project,
        encoder_hidden_size=virtual.hidden,
        task_type=task,
    )


def linear_layer_names(model: nn.Module) -> list[str]:
    """The last parts of the names of a model's linear layers, for messages."""
    linear = (name for name, module in model.named_modules() if isinstance(module, nn.Linear))
    return sorted({name.rsplit(".", 1)[-1] for name in linear})
