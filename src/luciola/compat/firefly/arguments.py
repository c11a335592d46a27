"""A train_args file as a recipe of ours: every key is translated, told to be without effect, or
refused.

Where the file is silent, Firefly's and transformers' defaults hold, not ours. What differs in kind:
fp16 is trained as bf16 or fp32, paged optimizer states stay on the GPU, and the micro-batch is
chosen by the device, as it does not change the result.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast

from luciola.compat.firefly.keys import REQUIRED, WITHOUT_EFFECT, check_keys
from luciola.conversation.firefly.formats import FORMATS, SCHEME
from luciola.errors import ConfigError

Task = Literal["sft", "pretrain", "dpo"]
TASKS: tuple[Task, ...] = ("sft", "pretrain", "dpo")
MODES = ("full", "lora", "qlora")
OLDER_NAMES = {"cpm3": "minicpm3"}
ADAMW = (
    "adamw_hf",
    "adamw_torch",
    "adamw_torch_fused",
    "adamw_apex_fused",
    "paged_adamw",
    "paged_adamw_32bit",
)
ADAMW8BIT = ("adamw_8bit", "adamw_bnb_8bit", "paged_adamw_8bit")
SCHEDULES = {
    "linear": "linear",
    "cosine": "cosine",
    "constant": "constant",
    "constant_with_warmup": "constant",
}
TRACKERS = ("tensorboard", "wandb", "trackio")
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


@dataclass
class _Page:
    """What is filled in while the keys are gone through."""

    values: Mapping[str, Any]
    where: str
    processes: int
    settings: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def get(self, key: str, default: Any) -> Any:
        return self.values.get(key, default)

    def error(self, message: str, remedy: str | None = None) -> ConfigError:
        return ConfigError(f"{self.where}: {message}", remedy=remedy)


def is_train_args(path: Path | None) -> bool:
    """Whether a file is a train_args file of Firefly rather than a recipe of ours."""
    if path is None or path.suffix != ".json":
        return False
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # the reader of recipes says what is wrong
    return isinstance(values, dict) and any(key in values for key in REQUIRED)


def read_train_args(path: Path) -> dict[str, Any]:
    """The file's mapping, which `is_train_args` has seen."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def translate(values: Mapping[str, Any], where: str, *, processes: int = 1) -> Translation:
    """Firefly's settings as ours.

    Args:
        where: what an error calls the file.
        processes: that train together; Firefly's batch sizes are per process.

    Raises: ConfigError for a key or a value that is unknown or has no counterpart.
    """
    page = _Page(check_keys(values, where), where, processes)
    task = cast(Task, _choice(page, "task_type", "sft", TASKS))
    for key, name in RENAMED.items():
        if key in page.values or key in DEFAULTS:
            page.settings[name] = page.get(key, DEFAULTS.get(key))
    for part in (_adapter, _batch, _schedule, _optimizer, _precision, _saving, _evaluation):
        part(page)
    _tracking(page)
    TASK_PARTS[task](page)
    _without_effect(page, task)
    return Translation(task, page.settings, tuple(page.notices))


def _choice(page: _Page, key: str, default: str, allowed: tuple[str, ...]) -> str:
    value = str(page.get(key, default))
    if value in allowed:
        return value
    near = get_close_matches(value, allowed, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise page.error(f"{key}={value!r} is not known here", f"{meant}It is {', '.join(allowed)}.")


def _adapter(page: _Page) -> None:
    mode = _choice(page, "train_mode", "qlora", MODES)
    page.settings["adapter"] = mode
    if mode != "full":
        page.settings["lora"] = {
            "r": page.get("lora_rank", 64),
            "alpha": page.get("lora_alpha", 16),
            "dropout": page.get("lora_dropout", 0.05),
        }


def _batch(page: _Page) -> None:
    """Examples per optimizer step; below 0 steps mean all of them."""
    micro, steps = page.get("per_device_train_batch_size", 8), "gradient_accumulation_steps"
    page.settings["batch"] = micro * page.get(steps, 1) * page.processes
    page.settings["max_steps"] = max(0, page.get("max_steps", 0))


def _schedule(page: _Page) -> None:
    """As in transformers, steps of warm-up count for more than a ratio; `constant` has none."""
    name = _choice(page, "lr_scheduler_type", "linear", tuple(SCHEDULES))
    steps, ratio = page.get("warmup_steps", 0), page.get("warmup_ratio", 0)
    page.settings["schedule"] = SCHEDULES[name]
    page.settings["warmup"] = 0 if name == "constant" else steps or ratio
    if ratio:
        page.notices.append(f"warmup_ratio={ratio:g} is warmup={page.settings['warmup']:g} here")


def _optimizer(page: _Page) -> None:
    name = _choice(page, "optim", "adamw_torch", (*ADAMW, *ADAMW8BIT))
    ours = "adamw8bit" if name in ADAMW8BIT else "adamw"
    page.settings["optimizer"] = ours
    page.settings["betas"] = [page.get("adam_beta1", 0.9), page.get("adam_beta2", 0.999)]
    if name == "adamw_hf" or name.startswith("paged"):
        why = "transformers no longer has it" if name == "adamw_hf" else "its states are not paged"
        page.notices.append(f"optim={name} is optimizer={ours} here: {why}")


def _precision(page: _Page) -> None:
    fp16, bf16 = page.get("fp16", False), page.get("bf16", False)
    if fp16 == bf16:
        seen = "both are true" if fp16 else "neither is true"
        raise page.error(f"exactly one of fp16 and bf16 must be true, and {seen}")
    page.settings["precision"] = "bf16" if bf16 else "auto"
    if fp16:
        page.notices.append(
            "fp16 is trained in bf16 where the device computes it, else in fp32: neither needs a "
            "loss scale"
        )
    if page.get("use_cpu", False) or page.get("no_cuda", False):
        page.settings["device"] = "cpu"


def _saving(page: _Page) -> None:
    strategy = _choice(page, "save_strategy", "steps", ("steps", "epoch", "no"))
    steps = page.get("save_steps", 500)
    page.settings["save_every"] = int(steps) if strategy == "steps" and steps >= 1 else 0
    if strategy != "steps" or steps < 1:
        what = f"save_strategy={strategy}" if strategy != "steps" else f"save_steps={steps:g}"
        page.notices.append(f"{what}: ten checkpoints are written over the run, for going on")
    if "save_total_limit" in page.values:
        page.settings["keep"] = max(1, page.values["save_total_limit"])
    else:
        page.notices.append("without save_total_limit the last checkpoint is kept; keep=3 keeps 3")


def _evaluation(page: _Page) -> None:
    old = page.get("evaluation_strategy", "no")
    if "evaluation_strategy" in page.values:
        page.notices.append("evaluation_strategy is called eval_strategy today, and read as such")
    strategy = page.get("eval_strategy", old)
    if not page.get("eval_file", ""):
        return
    page.settings["eval_data"] = page.values["eval_file"]
    if strategy == "steps":
        page.settings["eval_every"] = int(page.get("eval_steps", page.get("logging_steps", 500)))


def _tracking(page: _Page) -> None:
    given = page.get("report_to", "none")
    names = [given] if isinstance(given, str) else list(given)
    used = [name for name in names if name in TRACKERS and find_spec(name)]
    page.settings["track"] = used
    missing = [str(name) for name in names if name not in (*used, "none", "all")]
    if missing:
        page.notices.append(
            f"report_to={','.join(missing)} is not installed or not known: the figures are in the "
            "run's metrics.jsonl and report.md"
        )


def _template(page: _Page) -> None:
    given = page.get("template_name", "")
    name = OLDER_NAMES.get(given, given)
    if not name:
        page.notices.append("template_name is empty: the model's own chat template is used")
        return
    if name not in FORMATS:
        near = get_close_matches(name, FORMATS, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise page.error(
            f"template_name={given!r} is none of Firefly's", f"{meant}It is {', '.join(FORMATS)}."
        )
    page.settings["template"] = SCHEME + name


def _comparisons(page: _Page) -> None:
    _template(page)
    page.settings["beta"] = page.get("beta", 0.1)
    wanted, longest = page.get("max_prompt_length", 512), page.values["max_seq_length"]
    page.settings["max_prompt_length"] = min(wanted, longest - 1)
    if wanted >= longest:
        page.notices.append(
            f"max_prompt_length={wanted} would leave no token of {longest} for the answers: "
            f"{longest - 1} is taken"
        )


TASK_PARTS: Mapping[Task, Callable[[_Page], None]] = {
    "sft": _template,
    "pretrain": lambda page: None,
    "dpo": _comparisons,
}


def _without_effect(page: _Page, task: Task) -> None:
    """One notice for all keys that change nothing."""
    idle = [key for key in page.values if key in WITHOUT_EFFECT]
    idle += [key for key in ("beta", "max_prompt_length") if task != "dpo" and key in page.values]
    if task == "pretrain" and page.get("template_name", ""):
        idle.append("template_name")
    if not page.get("eval_file", ""):
        idle += [key for key in ("eval_steps", "eval_strategy") if key in page.values]
    if idle:
        said = [
            f"{key} ({WITHOUT_EFFECT[key]})" if WITHOUT_EFFECT.get(key) else key for key in idle
        ]
        page.notices.append(f"without effect here: {', '.join(said)}")
