"""Adapters on a classifier with one score, whose head is trained whole beside them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luciola.config.training import LoraConfig
from luciola.errors import ConfigError, ModelError
from luciola.models.adapter_kinds import low_rank_settings
from luciola.models.classifier import HEAD
from luciola.models.complaints import check_adapter
from luciola.models.lora_targets import leave_out
from luciola.models.quiet import quiet
from luciola.models.source import ADAPTER, resolve
from luciola.seeds import seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)


def adapt_classifier(
    classifier: PreTrainedModel,
    model: str,
    lora: LoraConfig,
    *,
    full: bool,
    run_seed: int,
    settings: Any = None,
) -> nn.Module:
    """Choose what is trained: all, or the head and adapters on the frozen rest.

    An adapter that the model comes with goes into the weights of a full run, else it is what is
    trained on, so that the result is an adapter for the same base.

    Args:
        settings: the adapter as peft takes it; None: LoRA.
    """
    adapter = _adapter(model)
    if full:
        whole: Any = classifier
        if adapter is not None:
            with quiet():
                whole = _with_adapter(classifier, adapter).merge_and_unload()
        whole.requires_grad_(True)
        return whole
    if adapter is not None:
        log.warning("training goes on with the adapter in %s; lora settings are not used", adapter)
        return _with_adapter(classifier, adapter)
    torch.manual_seed(seed(run_seed, "adapter"))
    return _wrapped(classifier, settings or low_rank_settings(lora))


def with_trained_adapter(classifier: PreTrainedModel, model: str) -> nn.Module:
    """The classifier with the adapter on it that the folder `model` holds; as it is without."""
    adapter = _adapter(model)
    return classifier if adapter is None else _with_adapter(classifier, adapter).eval()


def _adapter(model: str) -> str | None:
    source = resolve(model)
    is_adapter = source.is_local and not source.gguf_file and (source.path / ADAPTER).is_file()
    return source.location if is_adapter else None


def _with_adapter(classifier: Any, folder: str) -> Any:
    """A language model's adapter, or a classifier's with its head, for training."""
    import peft

    check_adapter(Path(folder))
    settings = peft.PeftConfig.from_pretrained(folder)
    settings.inference_mode = False
    settings.base_model_name_or_path = classifier.name_or_path  # from any working directory
    head = {f"base_model.model.{HEAD}.weight": classifier.score.weight.detach().clone()}
    try:
        with quiet():
            wrapped = _wrapped(classifier, settings)
            weights = {**head, **peft.utils.load_peft_weights(folder, device="cpu")}
            peft.set_peft_model_state_dict(wrapped, weights)
    except Exception as error:  # peft raises whatever its parts raise
        raise ModelError(
            f"the adapter in {folder} does not fit its base ({str(error).splitlines()[0]})",
            remedy=f"Its base is named in {folder}/{ADAPTER}.",
        ) from error
    return wrapped


def _wrapped(classifier: Any, settings: Any) -> Any:
    """The classifier under adapters, with its head trained whole.

    Raises: ConfigError if a target names no layer.
    """
    import peft

    leave_out(settings, classifier)
    settings.task_type = "SEQ_CLS"
    settings.modules_to_save = [HEAD]
    try:
        with quiet():
            return peft.get_peft_model(classifier, settings)
    except ValueError as error:
        if "not found in the base model" not in str(error):
            raise
        raise ConfigError(
            f"lora.targets={settings.target_modules} names no layer of this model",
            remedy="Leave lora.targets empty for every linear layer.",
        ) from None
