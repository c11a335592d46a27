"""The model that an adapter was trained on, found from what its folder records.

What is recorded is a bundled name, a hub id, or a path. A relative path was written by another
program, from a working directory that nobody remembers: it is looked for beside the adapter and in
the folders above it, so that the working directory of today decides last. What looks like a path is
never asked of the hub. Nothing heavy is imported here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from luciola.errors import ModelError
from luciola.models import catalogue
from luciola.models.complaints import json_of
from luciola.models.source import ADAPTER, CONFIG, HUB_ID, Source, resolve

log = logging.getLogger(__name__)

KEY = "base_model_name_or_path"
NO_OWNERS = ("models", "model", "runs", "run", "out", "output", "outputs", "checkpoints")
"""Folders that models are kept in. As the first half of `models/mine` they mean a path."""
GPT2 = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2", "openai-gpt")
WITHOUT_OWNER = (*GPT2, "ctrl", "transfo-xl-wt103", "xlnet-base-cased", "xlnet-large-cased")
"""Language models that the hub knows without an owner. It takes in no others, so that any other
bare name is a folder's.
"""


def base_of(adapter: Path) -> Source:
    """The base of the adapter in a folder.

    Raises: ModelError where it is not there, saying where it was looked for.
    """
    recorded = recorded_base(adapter)
    if not recorded:
        raise ModelError(
            f"the adapter in {adapter} does not say what model it was trained on",
            remedy=f"Write that model's folder or hub id as {KEY} in {adapter / ADAPTER}.",
        )
    if recorded in catalogue.NAMES:
        return resolve(recorded)
    found = _local(recorded, adapter)
    if found is not None:
        return resolve(found)
    name = Path(recorded.replace("\\", "/")).name
    if name in catalogue.NAMES:
        return resolve(name)  # trained where the cache was elsewhere
    moved = _moved_along(recorded, adapter)
    if moved is not None:
        log.warning("the adapter's base %s is gone, so %s is taken for it", recorded, moved)
        return resolve(moved)
    if not _may_be_on_the_hub(recorded, adapter):
        raise _missing(recorded, adapter)
    return Source(recorded, None, "hub")


def recorded_base(adapter: Path) -> str:
    """What the folder's configuration says; empty where it says nothing."""
    return str(json_of(adapter / ADAPTER).get(KEY) or "").strip()


def is_base(adapter: Path, model: Source) -> bool:
    """Whether a model is the adapter's base, as far as paths and names tell."""
    recorded = recorded_base(adapter)
    found = _local(recorded, adapter) if recorded else None
    if found is not None and model.is_local and found.samefile(model.path):
        return True
    parts = _parts(str(found or recorded))
    return bool(parts) and parts[-1] in (_plain(model.path).name, Path(model.location).name)


def record_base(adapted: Any, base: Any) -> None:
    """Let an adapter's configuration name the base that it is on, for when it is saved.

    Args:
        adapted: a model of peft.
        base: of transformers; its `name_or_path` is absolute where it is a path.
    """
    for settings in adapted.peft_config.values():
        settings.base_model_name_or_path = base.name_or_path


def _local(recorded: str, adapter: Path) -> Path | None:
    """The model at that path; a relative one counts from the adapter's folder, then from each
    folder above, the nearest first, then from the working directory.
    """
    path = Path(recorded).expanduser()
    if path.is_absolute():
        places = [path]
    else:
        places = [folder / path for folder in (*_above(adapter), Path.cwd())]
    return next((p for p in map(_plain, places) if _is_model(p, adapter)), None)


def _moved_along(recorded: str, adapter: Path) -> Path | None:
    """Where the end of a recorded path is in a folder above the adapter: both were moved together.

    The longest end counts; `model` alone, as every run's folder has it, is none.
    """
    parts = _parts(recorded)
    if not _is_path(recorded):
        return None
    for start in range(1, len(parts)):
        end = parts[start:]
        if end == ("model",):
            return None
        for folder in _above(adapter):
            if _is_model(folder.joinpath(*end), adapter):
                return folder.joinpath(*end)
    return None


def _parts(recorded: str) -> tuple[str, ...]:
    """The steps of a path of any system."""
    return tuple(part for part in recorded.replace("\\", "/").split("/") if part)


def _above(adapter: Path) -> Iterator[Path]:
    """The adapter's folder, and those above it."""
    folder = _plain(adapter)
    yield folder
    yield from folder.parents


def _plain(path: Path) -> Path:
    """Absolute and without `..`; links stay."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.absolute keeps ..


def _is_model(path: Path, adapter: Path) -> bool:
    """Whether a model is there that is not the adapter itself."""
    try:
        if path.is_file():
            with path.open("rb") as file:
                return file.read(4) == b"GGUF"
        for folder in (path, path / "model"):  # as in source
            if any((folder / name).is_file() for name in (CONFIG, ADAPTER)):
                return folder.resolve() != adapter.resolve()
        return path.is_dir() and any(path.glob("*.gguf"))
    except OSError:  # a folder that may not be looked into
        return False


def _is_path(recorded: str) -> bool:
    """Whether it can be nothing but a path."""
    return not HUB_ID.fullmatch(recorded) or recorded.endswith(".gguf")


def _may_be_on_the_hub(recorded: str, adapter: Path) -> bool:
    if _is_path(recorded):
        return False
    owner, _, name = recorded.partition("/")
    if not name:
        return recorded in WITHOUT_OWNER
    folders = [*_above(adapter), Path.cwd()]
    return owner not in NO_OWNERS and not any((folder / owner).is_dir() for folder in folders)


def _missing(recorded: str, adapter: Path) -> ModelError:
    where = ""
    if not Path(recorded).expanduser().is_absolute():
        where = f" (looked in {adapter}, the folders above it, and {Path.cwd()})"
    return ModelError(
        f"the adapter in {adapter} belongs to the model {recorded!r}, which is not there{where}",
        remedy=f"Put that model there, or write where it is as {KEY} in {adapter / ADAPTER}.",
    )
