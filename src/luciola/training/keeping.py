"""What a run keeps on the disk: checkpoints to go on from, and the best weights so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from luciola.runs.atomic import replacing_file
from luciola.training import checkpoint
from luciola.training.checkpoint import Checkpoint
from luciola.training.method import Method
from luciola.training.optimizer import Average
from luciola.training.world import World


@dataclass(frozen=True)
class Keeper:
    """Writes in the main process, and reads in every one.

    Args:
        folder: where checkpoints lie; None: nothing is kept.
        parameters: what is trained, by name.
        optimizer: over them.
        world: the processes.
        average: running average of the weights, or None.
        scaler: of the loss, where products are float16; else None.
    """

    folder: Path | None
    parameters: Mapping[str, nn.Parameter]
    optimizer: torch.optim.Optimizer
    world: World
    average: Average | None
    scaler: torch.amp.GradScaler | None

    @property
    def best_weights(self) -> Path | None:
        """File of the best weights; not there as long as nothing was judged."""
        return None if self.folder is None else self.folder / "best.safetensors"

    def save_best(self) -> None:
        """The weights as they are, averaged where there is an average, are the best so far."""
        if self.best_weights is None or not self.world.is_main:
            return
        values = self.parameters if self.average is None else self.average.values
        self.best_weights.parent.mkdir(parents=True, exist_ok=True)  # before the first checkpoint
        with replacing_file(self.best_weights) as temporary:
            checkpoint.save_weights(values, temporary)

    def save(self, step: int, method: Method[Any], counters: Mapping[str, Any], keep: int) -> None:
        """A checkpoint after `step`; the newest `keep` stay."""
        if self.folder is None:
            return
        if self.world.is_main:
            checkpoint.save(
                self.folder,
                step,
                self.parameters,
                self.optimizer,
                {} if self.average is None else self.average.values,
                method.state_dict(),
                self._state(counters),
            )
            checkpoint.prune(self.folder, keep)
        self.world.wait()

    def _state(self, counters: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "loop": counters,
            "average_steps": 0 if self.average is None else self.average.steps,
            "scaler": {} if self.scaler is None else self.scaler.state_dict(),
        }

    def restored(self, method: Method[Any]) -> Checkpoint | None:
        """Weights, optimizer, average, scale and method are again those of the newest checkpoint;
        None where there is none.

        Raises: StorageError where it cannot be read, or another version of Luciola wrote it.
        """
        found = None if self.folder is None else checkpoint.latest(self.folder)
        if found is None:
            return None
        saved = checkpoint.load(found)
        checkpoint.restore(saved.weights, self.parameters)
        self.optimizer.load_state_dict(saved.optimizer)
        if self.scaler is not None and saved.state.get("scaler"):
            self.scaler.load_state_dict(saved.state["scaler"])
        if self.average is not None:
            self.average.restore(saved.average, saved.state["average_steps"])
        try:
            method.load_state_dict(saved.method)
        except KeyError as error:
            raise checkpoint.of_another_version(found, str(error)) from error
        return saved
