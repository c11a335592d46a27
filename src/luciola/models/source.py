"""Where a model named by a person is: a bundled model, a folder, a GGUF file, or the hub; or the
folder that a function of theirs makes (`FILE.py:NAME`, `PACKAGE.MODULE:NAME`).

The name alone decides, before anything heavy is imported, so that a missing folder is called a
missing folder and a local model never causes a request to the network.
"""

from __future__ import annotations

import difflib
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from luciola.errors import ModelError
from luciola.models import catalogue
from luciola.plugins import load_object, names_object

log = logging.getLogger(__name__)

CONFIG, ADAPTER = "config.json", "adapter_config.json"
WEIGHTS = ("*.safetensors", "*.bin", "*.gguf", CONFIG, ADAPTER)
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


@dataclass(frozen=True)
class Source:
    """A model's place.

    Args:
        location: folder, or hub id.
        gguf_file: name of the GGUF file inside the folder, else None.
        kind: how it was named.
    """

    location: str
    gguf_file: str | None
    kind: Literal["bundled", "folder", "gguf", "hub"]

    @property
    def is_local(self) -> bool:
        """True where nothing may ask the network."""
        return self.kind != "hub"

    @property
    def path(self) -> Path:
        """The folder or GGUF file of a local model."""
        return Path(self.location, self.gguf_file or "")

    def is_same(self, other: Source) -> bool:
        """Whether both are one model, however their places are written."""
        if not (self.is_local and other.is_local):
            return self.location == other.location and self.is_local == other.is_local
        return self.path.samefile(other.path)


def resolve(model: str | Path, *, progress: catalogue.Progress | None = None) -> Source:
    """Find the model that `model` names; a bundled one is fetched if it is missing, and a function
    is called.

    Raises:
        ModelError: there is no such folder or file, or the name can be none of these.
        ConfigError: there is no such function.
    """
    name = str(model).strip()
    if name in catalogue.NAMES:
        return Source(str(_bundled(name, progress)), None, "bundled")
    if names_object(name):
        return _folder(_made_by(name))
    path = Path(name).expanduser()
    if name and path.is_dir():
        return _folder(path)
    if path.is_file():
        return _file(path)
    if not HUB_ID.fullmatch(name) or name.endswith(".gguf") or _is_local_looking(path):
        raise ModelError(f"there is no model {name!r}: no such file or folder", remedy=ways(name))
    return Source(name, None, "hub")


def _bundled(name: str, progress: catalogue.Progress | None) -> Path:
    if not catalogue.is_present(name):
        size = catalogue.entry(name).download_bytes / 1e6
        log.warning("fetching %s once (%.0f MB) into %s", name, size, catalogue.path(name))
    return catalogue.get(name, progress)


def _made_by(name: str) -> Path:
    """The folder that a person's function returns."""
    function = load_object(name)
    made = function() if callable(function) else function
    if isinstance(made, str | Path) and Path(made).expanduser().is_dir():
        return Path(made).expanduser()
    raise ModelError(
        f"{name} gave no folder but {made!r:.80}",
        remedy="It must return the folder of a model, as save_pretrained writes one.",
    )


def _folder(path: Path) -> Source:
    """A model's own folder, a run's folder with `model/` in it, or a folder with one GGUF file."""
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file() or (folder / ADAPTER).is_file():
            return Source(str(folder), None, "folder")
    gguf_files = sorted(path.glob("*.gguf"))
    if len(gguf_files) == 1:
        return Source(str(path), gguf_files[0].name, "gguf")
    if gguf_files:
        names = ", ".join(file.name for file in gguf_files)
        raise ModelError(
            f"{path} holds several GGUF files: {names}", remedy="Name one of them as the model."
        )
    if (path / "tokenizer.json").is_file() or (path / "tokenizer_config.json").is_file():
        return Source(
            str(path), None, "folder"
        )  # a tokenizer alone: loading a model says what lacks
    raise ModelError(
        f"{path} is not a model's folder: it has no {CONFIG}, no {ADAPTER} and no GGUF file",
        remedy="Give the folder that save_pretrained wrote, or a run's folder with model/ in it.",
    )


def _file(path: Path) -> Source:
    with path.open("rb") as file:
        is_gguf = file.read(4) == b"GGUF"
    if not is_gguf and path.suffix == ".gguf":
        raise ModelError(
            f"{path} is not a GGUF file: it does not begin with the letters GGUF",
            remedy="It is damaged, or was fetched as a web page: fetch it again.",
        )
    if not is_gguf:
        raise ModelError(
            f"{path} is a file, but not a GGUF file",
            remedy=f"Give the model's folder: {path.parent}"
            if (path.parent / CONFIG).is_file()
            else ways(path.name),
        )
    return Source(str(path.parent), path.name, "gguf")


def _is_local_looking(path: Path) -> bool:
    """True for `runs/typo` where `runs` is a folder here: nobody means the hub by that."""
    return len(path.parts) > 1 and path.parent.is_dir()


def ways(name: str) -> str:
    """What a model can be, for an error's last line; begins with a near miss if there is one."""
    close = difflib.get_close_matches(Path(name).name, catalogue.NAMES, n=1, cutoff=0.5)
    meant = f"Did you mean {close[0]}? " if close else ""
    return (
        f"{meant}A model is a folder, a GGUF file, a hub id (owner/name) "
        f"or a bundled model ({', '.join(catalogue.NAMES)})."
    )


def version_of(model: str | Path) -> str:
    """The model's place, and its files' sizes and times: one that was trained again is another."""
    source = resolve(model)
    if not source.is_local:
        return source.location
    if source.path.is_file():
        files = [source.path]
    else:
        files = sorted({path for pattern in WEIGHTS for path in source.path.glob(pattern)})
    stamps = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return " ".join([str(source.path.resolve()), *stamps])
