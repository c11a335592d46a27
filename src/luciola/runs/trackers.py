"""Where a run's figures go besides its folder: TensorBoard, W&B, trackio.

Only what was asked for is imported, and nothing leaves the machine by itself: W&B is offline unless
the environment says otherwise (WANDB_MODE, or an API key); trackio writes to a local folder unless
TRACKIO_SPACE_ID names a Space.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from luciola.errors import ConfigError, MissingExtraError

Figures = Mapping[str, Any]


class Tracker(Protocol):
    """Takes the figures of a run as they come."""

    def log(self, step: int, figures: Figures) -> None: ...

    def close(self) -> None:
        """Flush, and end the run there."""


def open_trackers(names: Sequence[str], folder: Path, recipe: Figures) -> list[Tracker]:
    """The trackers of a run, by name.

    Args:
        names: of tensorboard, wandb, trackio.
        folder: the run's folder; trackers that write files write there.
        recipe: shown beside the figures.

    Raises: MissingExtraError where a tracker's package is not installed; ConfigError for a name
        that no tracker has.
    """
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise ConfigError(f"track: there is no tracker {unknown[0]!r}, only {', '.join(TRACKERS)}")
    return [TRACKERS[name](folder, recipe) for name in names]


class TensorBoard:
    """Event files in `folder/tensorboard`, with the recipe as text."""

    def __init__(self, folder: Path, recipe: Figures) -> None:
        _package("tensorboard", "tensorboard")
        writer = import_module("torch.utils.tensorboard").SummaryWriter
        self._writer = writer(str(folder / "tensorboard"))
        self._writer.add_text("recipe", _as_markdown(recipe))

    def log(self, step: int, figures: Figures) -> None:
        for name, value in figures.items():
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


def _as_markdown(recipe: Figures) -> str:
    """A list of settings, one a line."""
    return "\n".join(f"* {name}: `{value}`" for name, value in recipe.items())


class WeightsAndBiases:
    """A run of the project `luciola` (WANDB_PROJECT changes it), with files in the run's folder."""

    def __init__(self, folder: Path, recipe: Figures) -> None:
        wandb = _package("wandb", "wandb")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "luciola"),
            name=folder.name,
            config=dict(recipe),
            dir=str(folder),
            mode=wandb_mode(),
        )

    def log(self, step: int, figures: Figures) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()


def wandb_mode() -> str:
    """WANDB_MODE where it is set; else online with an API key in the environment, and offline."""
    key_is_set = bool(os.environ.get("WANDB_API_KEY"))
    return os.environ.get("WANDB_MODE") or ("online" if key_is_set else "offline")


class Trackio:
    """A run of the project `luciola` in trackio's local store."""

    def __init__(self, folder: Path, recipe: Figures) -> None:
        self._trackio = _package("trackio", "trackio")
        self._trackio.init(
            project=os.environ.get("TRACKIO_PROJECT", "luciola"),
            name=folder.name,
            config=dict(recipe),
            space_id=os.environ.get("TRACKIO_SPACE_ID"),
        )

    def log(self, step: int, figures: Figures) -> None:
        self._trackio.log(dict(figures), step=step)

    def close(self) -> None:
        self._trackio.finish()


TRACKERS: dict[str, Callable[[Path, Figures], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "trackio": Trackio,
}


def _package(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != name:
            raise
        raise MissingExtraError(name, extra=name, purpose=f"track={name}") from None
