"""What a method hands to the one run of all methods, and what comes of that."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from luciola.config.training import TrainingConfig
from luciola.errors import ConfigError
from luciola.methods.trainee import Trainee
from luciola.runs.atomic import replacing_folder
from luciola.runs.outputs import check_folder
from luciola.runs.report import Figures
from luciola.training.loop import LoopSettings
from luciola.training.method import Method

BEFORE = "finished before"
ADAPTER = "adapter_config.json"


@dataclass(frozen=True)
class Job:
    """A method that is ready to run.

    Args:
        method: where batches come from, and the loss.
        trainee: what it trains.
        settings: counts and limits of the loop.
        introduction: what is trained, on what, in what precision: the first lines.
        title: of the report.
        save: writes the trained model, given the roles as they were before `World.prepare` and a
            folder.
        lr_scales: learning rates by role, as multiples of the recipe's; see `build_optimizer`.
        adam_eps: AdamW's epsilon.
        curves: which figures the report draws, each with its name in the chart.
        report: further figures of the report, asked for at the end of the run.
        sections: further parts of the report by their headings, asked for at its end, given the
            run's folder.
    """

    method: Method[Any]
    trainee: Trainee
    settings: LoopSettings
    introduction: Sequence[str]
    title: str
    save: Callable[[nn.Module, Path], None]
    lr_scales: Mapping[str, float] = field(default_factory=dict)
    adam_eps: float = 1e-8
    curves: Mapping[str, str] = field(default_factory=dict)
    report: Callable[[], Mapping[str, Any]] = dict
    sections: Callable[[Path], Mapping[str, str | Figures]] = lambda folder: {}


def loop_settings(config: TrainingConfig, total_steps: int, steps_per_epoch: int) -> LoopSettings:
    """The recipe's counts, with what it leaves open filled in."""
    return LoopSettings(
        total_steps=total_steps,
        eval_every=config.eval_every or min(steps_per_epoch, total_steps),
        save_every=config.save_every or max(1, -(-total_steps // 10)),
        keep=config.keep,
        patience=config.patience,
        max_grad_norm=config.max_grad_norm,
        seed=config.seed,
    )


@dataclass(frozen=True)
class Result:
    """What came of a run.

    Args:
        folder: the run's.
        model: where the trained model lies; there when the run has come to its end.
        ending: "finished", "stopped early", "interrupted", or "finished before".
        figures: as in report.json.
        text: what to tell a person at the end.
    """

    folder: Path
    model: Path
    ending: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    def save_pretrained(self, save_directory: str | Path) -> None:
        """Copy the trained model to a folder of its own, which plain transformers or peft loads.

        Raises: ConfigError where there is no model yet, or the folder holds something else.
        """
        if not self.model.is_dir() or self.ending not in ("finished", "stopped early", BEFORE):
            raise ConfigError(f"there is no model to save: this run was {self.ending}")
        target = Path(save_directory).expanduser()
        check_folder(target, inputs={"run's model": self.model, "run": self.folder})
        is_model = any((target / name).is_file() for name in ("config.json", ADAPTER))
        if target.exists() and not is_model and any(target.iterdir()):
            raise ConfigError(
                f"{target} is not empty, and no model that could be replaced",
                remedy="Name a new folder.",
            )
        with replacing_folder(target) as folder:
            shutil.copytree(self.model, folder, dirs_exist_ok=True)
