"""The keys of a train_args file: Firefly's own, and those of transformers' TrainingArguments.

Each has a kind of value. A key that is in neither table is an error. What is left out on purpose:
keys that would change the result and have no counterpart here (label smoothing, other optimizers'
arguments): they are refused and not passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from luciola.errors import ConfigError

TEXT, WHOLE, NUMBER, SWITCH, ANY = "text", "a whole number", "a number", "true or false", "anything"

OWN = {
    "max_seq_length": WHOLE,
    "train_file": TEXT,
    "model_name_or_path": TEXT,
    "template_name": TEXT,
    "eval_file": TEXT,
    "max_prompt_length": WHOLE,
    "beta": NUMBER,
    "tokenize_num_workers": WHOLE,
    "task_type": TEXT,
    "train_mode": TEXT,
    "lora_rank": WHOLE,
    "lora_alpha": NUMBER,
    "lora_dropout": NUMBER,
    "use_unsloth": SWITCH,
}
"""Firefly's own keys."""

MEANT = {
    "output_dir": TEXT,
    "num_train_epochs": NUMBER,
    "max_steps": WHOLE,
    "per_device_train_batch_size": WHOLE,
    "gradient_accumulation_steps": WHOLE,
    "learning_rate": NUMBER,
    "lr_scheduler_type": TEXT,
    "warmup_steps": NUMBER,
    "warmup_ratio": NUMBER,
    "weight_decay": NUMBER,
    "max_grad_norm": NUMBER,
    "adam_beta1": NUMBER,
    "adam_beta2": NUMBER,
    "optim": TEXT,
    "gradient_checkpointing": SWITCH,
    "fp16": SWITCH,
    "bf16": SWITCH,
    "seed": WHOLE,
    "save_strategy": TEXT,
    "save_steps": NUMBER,
    "save_total_limit": WHOLE,
    "eval_strategy": TEXT,
    "evaluation_strategy": TEXT,
    "eval_steps": NUMBER,
    "report_to": ANY,
    "neftune_noise_alpha": NUMBER,
    "torch_compile": SWITCH,
    "full_determinism": SWITCH,
    "use_cpu": SWITCH,
    "no_cuda": SWITCH,
}
"""Keys of TrainingArguments that a recipe has a setting for."""

WITHOUT_EFFECT = {
    "tokenize_num_workers": "examples are made in one process, in seconds",
    "use_unsloth": "the model is the one of transformers",
    "deepspeed": "one GPU holds the run",
    "logging_steps": "every step is logged",
    "logging_first_step": "every step is logged",
    "logging_strategy": "every step is logged",
    "logging_dir": "figures are in the run's folder",
    "log_level": "notices are always shown",
    "disable_tqdm": "progress is shown where there is a terminal",
    "remove_unused_columns": "each format takes the columns that it knows",
    "dataloader_num_workers": "examples are in memory",
    "dataloader_pin_memory": "examples are in memory",
    "dataloader_drop_last": "every example is trained",
    "dataloader_prefetch_factor": "examples are in memory",
    "dataloader_persistent_workers": "examples are in memory",
    "data_seed": "the order follows from seed",
    "group_by_length": "examples share rows by packing",
    "ddp_find_unused_parameters": "every trained weight is used",
    "ddp_timeout": "torch's own limit holds",
    "ddp_backend": "the device decides",
    "local_rank": "the launcher says it",
    "overwrite_output_dir": "--fresh begins again",
    "resume_from_checkpoint": "the same command goes on where it stopped",
    "do_train": "the command says what is done",
    "do_eval": "eval_file decides",
    "do_predict": "nothing is predicted",
    "per_device_eval_batch_size": "the device decides, and the result is the same",
    "eval_accumulation_steps": "only sums are kept",
    "prediction_loss_only": "only sums are kept",
    "run_name": "the run is called after its folder",
    "tf32": "the device decides",
    "fp16_opt_level": "apex is not used",
    "fp16_full_eval": "evaluation is as training",
    "bf16_full_eval": "evaluation is as training",
    "half_precision_backend": "torch's own is used",
    "gradient_checkpointing_kwargs": "it changes memory alone",
    "load_best_model_at_end": "the best by evaluation loss is kept besides",
    "metric_for_best_model": "the best by evaluation loss is kept besides",
    "greater_is_better": "the best by evaluation loss is kept besides",
    "save_safetensors": "weights are always safetensors",
    "save_only_model": "checkpoints are whole, and go at the end",
    "skip_memory_metrics": "memory is always told",
    "include_tokens_per_second": "it is always told",
    "auto_find_batch_size": "micro-batches are halved where memory runs out",
    "push_to_hub": "nothing leaves the machine",
    "hub_model_id": "nothing leaves the machine",
    "hub_token": "nothing leaves the machine",
    "hub_strategy": "nothing leaves the machine",
    "activation_checkpointing": "it changes memory alone; checkpointing=true saves some",
    "activation_checkpointing_kwargs": "it changes memory alone",
    "torch_compile_backend": "torch's own is used",
    "torch_compile_mode": "torch's own is used",
    "use_liger_kernel": "it changes speed and memory alone",
    "liger_kernel_config": "it changes speed and memory alone",
    "use_cache": "training keeps no cache",
    "torch_empty_cache_steps": "it changes memory alone",
    "log_on_each_node": "the first process logs",
    "logging_nan_inf_filter": "a loss that is no number ends the run",
    "include_num_input_tokens_seen": "tokens are always counted",
    "log_level_replica": "the first process logs",
    "project": "figures are in the run's folder",
    "trackio_space_id": "nothing leaves the machine",
    "trackio_bucket_id": "nothing leaves the machine",
    "trackio_static_space_id": "nothing leaves the machine",
    "eval_delay": "evaluation begins with the first eval_steps",
    "eval_on_start": "the first evaluation is before the first step",
    "eval_do_concat_batches": "only sums are kept",
    "eval_use_gather_object": "only sums are kept",
    "include_for_metrics": "the evaluation loss is the one metric",
    "batch_eval_metrics": "only sums are kept",
    "save_on_each_node": "the first process saves",
    "enable_jit_checkpoint": "Ctrl-C saves at once",
    "hub_private_repo": "nothing leaves the machine",
    "hub_always_push": "nothing leaves the machine",
    "hub_revision": "nothing leaves the machine",
    "ignore_data_skip": "a run that goes on takes the data where it stopped",
    "restore_callback_states_from_checkpoint": "there are no callbacks",
    "accelerator_config": "the launcher arranges the processes",
    "dataloader_multiprocessing_context": "examples are in memory",
    "dataloader_in_order": "the order follows from seed",
    "length_column_name": "lengths are counted",
    "ddp_bucket_cap_mb": "it changes speed alone",
    "ddp_broadcast_buffers": "it changes speed alone",
    "ddp_static_graph": "it changes speed alone",
    "fsdp": "it changes memory alone",
    "fsdp_config": "it changes memory alone",
    "debug": "--debug shows traces",
}
"""Keys that change nothing in the result here, each with the reason."""

LACKING: dict[str, Any] = {
    "label_smoothing_factor": 0,
    "adam_epsilon": 1e-8,
    "optim_args": "",
    "lr_scheduler_kwargs": {},
    "average_tokens_across_devices": True,
    "train_sampling_strategy": "random",
    "optim_target_modules": None,
    "parallelism_config": None,
    "label_names": None,
}
"""Keys of TrainingArguments that change the result and that a recipe lacks, each with the value
that changes nothing, which is taken."""

REQUIRED = ("model_name_or_path", "train_file", "max_seq_length")
KNOWN = (*OWN, *MEANT, *WITHOUT_EFFECT, *LACKING)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


FITS: dict[str, Callable[[Any], bool]] = {
    TEXT: lambda value: isinstance(value, str),
    WHOLE: lambda value: _is_number(value) and float(value).is_integer(),
    NUMBER: _is_number,
    SWITCH: lambda value: isinstance(value, bool),
    ANY: lambda value: True,
}


def check_keys(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values that are given, of the right kind; null counts as not given.

    Raises: ConfigError naming the key: unknown, missing, or with a value of another kind.
    """
    for key in values:
        if key not in KNOWN:
            raise _unknown(key, where)
    given = {key: value for key, value in values.items() if value is not None}
    for key in REQUIRED:
        if key not in given:
            raise ConfigError(f"{where}: {key} is missing", remedy="Firefly needs it, as we do.")
    for key in LACKING.keys() & given.keys():
        if _number(given.pop(key)) != LACKING[key]:
            raise ConfigError(
                f"{where}: {key}={values[key]!r:.80} would change the result, and is missing here",
                remedy="Take it out to train without it.",
            )
    return {key: _checked(key, value, where) for key, value in given.items()}


def _checked(key: str, value: Any, where: str) -> Any:
    kind = OWN.get(key) or MEANT.get(key, ANY)
    found = _number(value) if kind in (WHOLE, NUMBER) else value
    if not FITS[kind](found):
        raise ConfigError(f"{where}: {key} must be {kind}, got {value!r:.80}")
    return int(found) if kind == WHOLE else found


def _number(value: Any) -> Any:
    """A number that is written as text, as in `"1e-5"`."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value


def _unknown(key: str, where: str) -> ConfigError:
    near = get_close_matches(key, KNOWN, n=1, cutoff=0.7)
    remedy = (
        f"Did you mean {near[0]}?"
        if near
        else "Neither Firefly nor we have such a setting: take it out, or give ours on the command "
        "line."
    )
    return ConfigError(f"{where}: unknown setting {key!r}", remedy=remedy)
