"""Checkpoints: everything a run needs to go on as if it had never stopped, and nothing else.

A checkpoint is a folder `checkpoints/step-000200` that appears whole or not at all. It holds the
trained parameters (of a LoRA run only the adapters), the optimizer's state, the method's state and
the loop's counters. Random generators are not in it: seeds are addresses (`luciola.seeds`).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from luciola.errors import FRESH, StorageError
from luciola.runs.atomic import replacing_folder

_NAME = re.compile(r"step-(\d{6,})$")


@dataclass(frozen=True)
class Checkpoint:
    """What was read back.

    Args:
        step: optimizer steps done.
        weights: the trained parameters by name, on the CPU.
        optimizer: its state dict.
        average: the running average by name, empty where there is none.
        method: the method's state; may hold tensors.
        state: the loop's.
    """

    step: int
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    average: dict[str, Tensor]
    method: dict[str, Any]
    state: dict[str, Any]


def save(
    folder: Path,
    step: int,
    parameters: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    average: Mapping[str, Tensor],
    method: Mapping[str, Any],
    state: Mapping[str, Any],
) -> Path:
    """Write `folder/step-XXXXXX` whole or not at all.

    Raises: StorageError on a full disk; earlier checkpoints are untouched.
    """
    final = folder / f"step-{step:06d}"
    with replacing_folder(final) as temporary:
        save_weights(parameters, temporary / "weights.safetensors")
        if average:
            save_file(_owned(average), temporary / "average.safetensors")
        torch.save(optimizer.state_dict(), temporary / "optimizer.pt")
        torch.save(dict(method), temporary / "method.pt")
        (temporary / "state.json").write_text(json.dumps(state, indent=1))
    return final


def save_weights(parameters: Mapping[str, Tensor], path: Path) -> None:
    """The parameters as one safetensors file."""
    save_file(_owned(parameters), path)


def load_weights(path: Path) -> dict[str, Tensor]:
    """What `save_weights` wrote, on the CPU."""
    return load_file(path)


def _owned(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: t.detach().cpu().contiguous() for name, t in tensors.items()}


def latest(folder: Path) -> Path | None:
    """The newest checkpoint in `folder`, or None."""
    found = [
        (int(match[1]), path) for path in _children(folder) if (match := _NAME.match(path.name))
    ]
    return max(found)[1] if found else None


def step_of(path: Path) -> int:
    """Steps done in a checkpoint, as its name says."""
    match = _NAME.match(path.name)
    assert match  # `latest` finds no others
    return int(match[1])


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises: StorageError if it cannot be read (a damaged disk: it was written whole).
    """
    try:
        average = path / "average.safetensors"
        return Checkpoint(
            step=step_of(path),
            weights=load_file(path / "weights.safetensors"),
            optimizer=torch.load(path / "optimizer.pt", map_location="cpu", weights_only=True),
            average=load_file(average) if average.exists() else {},
            method=torch.load(path / "method.pt", map_location="cpu", weights_only=True),
            state=json.loads((path / "state.json").read_text()),
        )
    except Exception as error:  # damaged bytes raise anything, from EOFError to UnpicklingError
        raise StorageError(
            f"{path}: this checkpoint cannot be read ({error})",
            remedy=f"Delete this folder to go on from the one before, or begin again with {FRESH}.",
        ) from error


def of_another_version(path: Path, missing: str) -> StorageError:
    """The error for a checkpoint without an entry that this version goes on from."""
    return StorageError(
        f"{path}: another version of Luciola wrote this checkpoint, which lacks {missing}",
        remedy=f"Finish this run with that version, or begin again with {FRESH}.",
    )


def restore(values: Mapping[str, Tensor], parameters: Mapping[str, nn.Parameter]) -> None:
    """Copy `values` into the parameters of the same names.

    Raises: StorageError if the names differ.
    """
    if set(values) != set(parameters):
        odd = sorted(set(values) ^ set(parameters))[:3]
        raise StorageError(f"this checkpoint belongs to another model: it differs in {odd}")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])


def prune(folder: Path, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints."""
    found = sorted((p for p in _children(folder) if _NAME.match(p.name)), key=step_of)
    for path in found[: max(0, len(found) - keep)]:
        shutil.rmtree(path)
