"""Folders that models are written into: new, with enough space, with the code that came along."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from luciola.errors import ConfigError, StorageError
from luciola.models.save import original_dtype
from luciola.models.source import Source
from luciola.runs.atomic import is_leftover
from luciola.runs.outputs import check_folder

BESIDE_WEIGHTS = 64 * 2**20
"""Bytes allowed for tokenizer and code."""


def check_new(out: Path, *, inputs: Mapping[str, Path]) -> None:
    """Raises: ConfigError where `out` holds something, or is one of the folders read from."""
    check_folder(out, inputs=inputs)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file, not a folder")
    found = [path for path in out.iterdir() if not is_leftover(path)] if out.is_dir() else []
    if found:
        raise ConfigError(
            f"{out} is not empty (it has {found[0].name!r})",
            remedy="Name a new folder; nothing in this one was touched.",
        )


def check_space(out: Path, needed_bytes: int) -> None:
    """Raises: StorageError where the disk of `out` has less free than will be written."""
    existing = next(p for p in (out.absolute(), *out.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes + BESIDE_WEIGHTS:
        raise StorageError(
            f"{out} needs {needed_bytes / 1e9:.2f} GB, and {existing} has {free / 1e9:.2f} GB free",
            remedy="Free some space, or name a folder on another disk.",
        )


def expected_bytes(base: Source, dtype: torch.dtype) -> int:
    """About how large a model becomes in another type, from its files; 0: they are not here."""
    if not base.is_local or base.gguf_file:
        return 0
    files = sum(path.stat().st_size for path in base.path.glob("*.safetensors"))
    return files * dtype.itemsize // original_dtype(base.location).itemsize


def weights_bytes(model: nn.Module) -> int:
    """Bytes of a model's weights in their present types; tied ones count once."""
    return sum(p.numel() * p.element_size() for p in model.parameters())


def size_bytes(folder: Path) -> int:
    """Bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def copy_code(source: Source, model: Any, folder: Path) -> None:
    """Take the Python files that a model brings along, where it brings any."""
    if getattr(model.config, "auto_map", None):
        place = source.path if source.is_local else Path(inspect.getfile(type(model))).parent
        for file in place.glob("*.py"):
            if file.name != "__init__.py" and not (folder / file.name).exists():
                shutil.copyfile(file, folder / file.name)
