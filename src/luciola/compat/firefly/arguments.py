"""A train_args file as a recipe of ours: every key is translated, told to be without effect, or
refused.

Where the file is silent, Firefly's and transformers' defaults hold, not ours. What differs in kind:
fp16 is trained as bf16 or fp32, paged optimizer states stay on the GPU, and the micro-batch is
chosen by the device, as it does not change the result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from luciola.compat.firefly.keys import REQUIRED, WITHOUT_EFFECT, check_keys
from luciola.compat.firefly.optimization import optimization
from luciola.compat.firefly.page import Page
from luciola.compat.firefly.recording import recording
from luciola.compat.firefly.tasks import TASK_PARTS, TASKS, Task
from luciola.errors import ConfigError

LORA_KEYS = ("lora_rank", "lora_alpha", "lora_dropout")
RENAMED = {
    "model_name_or_path": "model",
    "train_file": "data",
    "max_seq_length": "max_length",
    "output_dir": "out",
    "num_train_epochs": "epochs",
    "learning_rate": "lr",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "gradient_checkpointing": "checkpointing",
    "neftune_noise_alpha": "neftune_alpha",
    "torch_compile": "compile",
    "full_determinism": "deterministic",
    "seed": "seed",
}
"""Keys whose values mean the same here."""
DEFAULTS: dict[str, Any] = {
    "num_train_epochs": 3,
    "learning_rate": 5e-5,
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "seed": 42,
}


@dataclass(frozen=True)
class Translation:
    """A train_args file in our words.

    Args:
        task: what is trained.
        settings: of SftConfig, or for dpo of DpoConfig.
        notices: what was translated, and what is without effect.
    """

    task: Task
    settings: Mapping[str, Any]
    notices: tuple[str, ...] = ()


def is_train_args(path: Path | None) -> bool:
    """Whether a file is a train_args file of Firefly rather than a recipe of ours."""
    if path is None or path.suffix != ".json":
        return False
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return False  # the reader of recipes says what is wrong
    try:
        values = json.loads(text)
    except ValueError:  # a slip in it makes it no recipe; `read_train_args` says where
        return any(f'"{key}"' in text for key in REQUIRED)
    return isinstance(values, dict) and any(key in values for key in REQUIRED)


def read_train_args(path: Path) -> dict[str, Any]:
    """The file's mapping, which `is_train_args` has seen.

    Raises: ConfigError naming the line, where it is no JSON.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path}, line {error.lineno}: not JSON ({error.msg})",
            remedy="Often a comma is missing, or stands behind the last entry.",
        ) from error
    return values


def translate(values: Mapping[str, Any], where: str, *, processes: int = 1) -> Translation:
    """Firefly's settings as ours.

    Args:
        where: what an error calls the file.
        processes: that train together; Firefly's batch sizes are per process.

    Raises: ConfigError for a key or a value that is unknown or has no counterpart.
    """
    page = Page(check_keys(values, where), where, processes)
    task = cast(Task, page.choice("task_type", "sft", TASKS))
    for key, name in RENAMED.items():
        if key in page.values or key in DEFAULTS:
            page.settings[name] = page.get(key, DEFAULTS.get(key))
    optimization(page)
    recording(page)
    TASK_PARTS[task](page)
    _without_effect(page, task)
    return Translation(task, page.settings, tuple(page.notices))


def _without_effect(page: Page, task: Task) -> None:
    """One notice for all keys that change nothing."""
    idle = [key for key in page.values if key in WITHOUT_EFFECT]
    idle += [key for key in ("beta", "max_prompt_length") if task != "dpo" and key in page.values]
    if page.settings["adapter"] == "full":
        idle += [key for key in LORA_KEYS if key in page.values]
    if task == "pretrain" and page.get("template_name", ""):
        idle.append("template_name")
    if not page.get("eval_file", ""):
        idle += [key for key in ("eval_steps", "eval_strategy") if key in page.values]
    if idle:
        said = [
            f"{key} ({WITHOUT_EFFECT[key]})" if WITHOUT_EFFECT.get(key) else key for key in idle
        ]
        page.notices.append(f"without effect here: {', '.join(said)}")
