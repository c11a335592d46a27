"""Files that commands write: checked before any work, written whole after it, never onto an input.

The rule is the same everywhere. An output is refused where it is one of the inputs, under whatever
name (a symbolic or hard link, `./`, another case on a file system that does not tell cases apart).
A file that is there already is replaced only with `--overwrite`, or where the command can prove
that it wrote that very content itself (`replaces`). `-` and /dev/stdout are the standard output;
pipes and devices are written into.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from luciola.errors import ConfigError, StorageError
from luciola.runs.atomic import WRITING, replacing_file, storage_errors, write_atomically

STDOUT = "-"
OVERWRITE = "--overwrite (in Python: overwrite=True)"
DESCRIPTOR = re.compile(r"(?:/dev/fd|/proc/self/fd)/(\d+)")
NAMED = {STDOUT: 1, "/dev/stdout": 1, "/dev/stderr": 2}
Recognises = Callable[[Path], bool]
Input = str | Path | tuple[str, tuple[str, ...]]
"""A file or folder that is read; of a folder perhaps only files with some endings."""
DATABASES = (".sqlite", ".sqlite3", ".db", ".duckdb", ".json", ".sql")
"""What is read of a folder of databases."""


@dataclass(frozen=True)
class Output:
    """A place that `check_output` has allowed.

    Args:
        name: as the user gave it.
        place: the file, links followed; None: an open stream of this process.
        descriptor: of that stream.
        is_new: nothing was there when it was checked.
        is_signed: what is written is noted, see `is_signed`.
    """

    name: str
    place: Path | None
    descriptor: int = 0
    is_new: bool = False
    is_signed: bool = False

    @property
    def is_stdout(self) -> bool:
        """Whether it goes where results of a command are printed, which then go to stderr."""
        return self.place is None and self.descriptor == 1

    @property
    def is_stream(self) -> bool:
        """A stream, pipe or device: what is written there cannot be taken back."""
        return self.place is None or (self.place.exists() and not self.place.is_file())

    def write(self, text: str) -> None:
        """Write the whole content, or leave what was there.

        Raises: StorageError.
        """
        with self.opened() as file:
            file.write(text)
        if self.is_signed:
            sign(self)

    @contextmanager
    def opened(self) -> Iterator[IO[str]]:
        """A text file to write piece by piece; it takes its place when the block ends well."""
        with _told(self.name):
            if self.place is None:
                with _duplicate(self.descriptor) as file:
                    yield file
            elif self.is_stream:
                with self.place.open("w", encoding="utf-8") as file:
                    yield file
            else:
                with self.replacing() as temporary, temporary.open("w", encoding="utf-8") as file:
                    yield file

    @contextmanager
    def growing(self) -> Iterator[Callable[[str], None]]:
        """Yield a function that adds text at once, so that an end too early loses little.

        What was there before goes with the first text, not earlier.
        """
        with _told(self.name), ExitStack() as stack:
            files: list[IO[str]] = []

            def write(text: str) -> None:
                if not files:
                    files.append(stack.enter_context(self._grown()))
                files[0].write(text)
                files[0].flush()

            yield write
            if not files:
                write("")

    @contextmanager
    def _grown(self) -> Iterator[IO[str]]:
        if self.place is None:
            with _duplicate(self.descriptor) as file:
                yield file
            return
        if not self.is_stream:
            self.place.parent.mkdir(parents=True, exist_ok=True)
        with self.place.open("x" if self.is_new else "w", encoding="utf-8") as file:
            yield file

    @contextmanager
    def replacing(self, needed_bytes: int | None = None) -> Iterator[Path]:
        """Yield the path of a file to write, which takes this place when the block ends well.

        A file that has appeared here meanwhile stays: ours then gets a name beside it.
        """
        assert self.place is not None, "a stream has no path"
        with replacing_file(self.place, needed_bytes, keep=self.is_new) as temporary:
            yield temporary


def check_output(
    name: str | Path,
    *,
    inputs: Iterable[Input] = (),
    overwrite: bool = False,
    signed: bool = False,
    replaces: Recognises | None = None,
    flag: str = OVERWRITE,
    needs_file: bool = False,
) -> Output:
    """Whether a command may write to a place; touches nothing.

    Args:
        name: a file, `-`, a device or a pipe.
        inputs: files and folders that the command reads; names of what is no file are passed over.
        overwrite: replace a file that is there.
        signed: sign what is written; what was signed, and is as it was written, is replaced.
        replaces: whether a file that is there is this command's own and may be replaced.
        flag: what the user says to overwrite.
        needs_file: refuse streams, pipes and devices.

    Raises: ConfigError for an input, or a file that is there; StorageError for a place that cannot
        be written.
    """
    descriptor = _descriptor(str(name))
    if descriptor is not None:
        if needs_file:
            raise ConfigError(f"{name} is no file, and one is needed", remedy="Name a file.")
        return Output(str(name), None, descriptor)
    given = Path(name).expanduser()
    with _told(str(name)):
        place = _followed(given)
        _check_writable(given, place)
    if signed:
        replaces = is_signed
    is_own = signed and place.is_file() and is_signed(place)
    same = _input_in_place(place, inputs, is_own=is_own)
    if same is not None:
        what = "is one of the files read" if same.is_dir() else f"is the input {same} itself"
        raise ConfigError(
            f"{name} {what}, and would be lost", remedy="Name another file; nothing was touched."
        )
    if place.exists() and not place.is_file():
        if needs_file:
            raise ConfigError(f"{name} is no file, and one is needed", remedy="Name a file.")
    elif place.exists() and not overwrite and not (replaces is not None and replaces(place)):
        changed = "" if replaces is None else ", or has changed since it was written"
        raise ConfigError(
            f"{name} is there already{changed}",
            remedy=f"Name another file, or replace it with {flag}.",
        )
    return Output(str(name), place, is_new=not place.exists(), is_signed=signed)


def check_outputs(
    names: Iterable[str], *, inputs: Iterable[Input] = (), overwrite: bool = False
) -> list[Output | None]:
    """Several files of one command, none of which may be another; "" is none.

    Raises: as `check_output` does.
    """
    names, read = list(names), list(inputs)
    found = [check_output(n, inputs=read, overwrite=overwrite) if n else None for n in names]
    check_different(found)
    return found


def check_different(outputs: Iterable[Output | None]) -> None:
    """Raises: ConfigError where two outputs of a command are the same file."""
    seen: list[Output] = []
    for output in outputs:
        if output is None or (output.is_stream and not output.is_stdout):
            continue
        for other in seen:
            if _are_one(output, other):
                raise ConfigError(
                    f"{output.name} is named for two outputs", remedy="Give each its own file."
                )
        seen.append(output)


def check_folder(name: str | Path, *, inputs: Mapping[str, Path]) -> None:
    """Whether a folder may be written; touches nothing.

    Args:
        inputs: folders that are read, by what they are called.

    Raises: ConfigError where it is one of these; StorageError where it cannot be written.
    """
    place = _followed(Path(name).expanduser())
    for what, folder in inputs.items():
        if _same(place, folder.resolve()):
            raise ConfigError(
                f"{name} is the {what} itself", remedy="Name a new folder; nothing was touched."
            )
    with _told(str(name)):
        _check_parent(Path(name), place)


def sign(output: Output) -> None:
    """Note in a hidden file beside an output what it holds, so that `is_signed` knows it again."""
    if not output.is_stream and output.place is not None:
        write_atomically(_signature(output.place), _content_hash(output.place) + "\n")


def is_signed(path: Path) -> bool:
    """Whether a file holds, to the byte, what the command that signed it wrote."""
    try:
        return _signature(path).read_text(encoding="utf-8").strip() == _content_hash(path)
    except (OSError, UnicodeDecodeError):
        return False


def _signature(path: Path) -> Path:
    return path.with_name(f".{path.name}.written")


def _content_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _descriptor(name: str) -> int | None:
    if name in NAMED:
        return NAMED[name]
    found = DESCRIPTOR.fullmatch(name)
    if found is None:
        return None
    number = int(found[1])
    try:
        os.fstat(number)
    except OSError as error:
        raise StorageError(
            f"{name} cannot be written: it is not open", remedy="Name another file."
        ) from error
    return number


def _followed(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # links that lead in a circle
        raise StorageError(f"{path} cannot be written: {error}") from error


def _check_writable(given: Path, place: Path) -> None:
    if place.is_dir():
        raise StorageError(f"{given} is a folder", remedy="Name a file in it.")
    if given.name.startswith(".") and given.name.endswith(WRITING):
        raise StorageError(f"{given} is named as an unfinished file is", remedy="Name another.")
    if place.exists() and not os.access(place, os.W_OK):
        raise _unwritable(given, "permission denied")
    if not place.exists() or place.is_file():
        _check_parent(given, place)


def _check_parent(given: Path, place: Path) -> None:
    """Whether the folder is there and can be written, or could be made."""
    try:
        parent = next(folder for folder in place.parents if folder.exists())
    except OSError as error:  # a name too long, a folder that cannot be entered
        raise _unwritable(given, (error.strerror or str(error)).lower()) from error
    if not parent.is_dir():
        raise _unwritable(given, f"{parent} is a file, not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise _unwritable(given, f"permission denied in {parent}")
    if any(len(os.fsencode(part)) > 240 for part in place.parts):
        raise _unwritable(given, "the name is too long")


def _unwritable(given: Path, reason: str) -> StorageError:
    return StorageError(f"{given} cannot be written: {reason}", remedy="Name another file.")


def _file_of(source: str | Path) -> Path | None:
    """The file or folder that an input names; None where it is no place of this machine.

    `spider:dev` is a split of the folder `spider`; a URL of SQLite or DuckDB names a file.
    """
    text = str(source)
    if not text or text == STDOUT:
        return None
    if "://" in text:
        text = urlsplit(text).path.removeprefix("/")
    for name in (text, text.rpartition(":")[0]):
        try:
            if name and (path := Path(name).expanduser()).exists():
                return path.resolve()
        except (OSError, RuntimeError, ValueError):
            continue
    return None


def _input_in_place(place: Path, inputs: Iterable[Input], *, is_own: bool) -> Path | None:
    """The input that a place is, or that holds it; a file of our own in a folder is no input."""
    for each in inputs:
        name, endings = each if isinstance(each, tuple) else (each, ())
        source = _file_of(name)
        if source is None:
            continue
        passed_over = source.is_dir() and (is_own or (endings and place.suffix not in endings))
        if not passed_over and _is_in(place, source):
            return source
    return None


def _is_in(place: Path, source: Path) -> bool:
    """Whether a place is the source, or a file of it that is there, whatever its name."""
    if _same(place, source):
        return True
    if not source.is_dir() or not place.exists():
        return False
    if place.is_relative_to(source):
        return True
    is_linked = place.is_file() and place.stat().st_nlink > 1
    return is_linked and any(_same(place, file) for file in source.rglob("*") if file.is_file())


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one == other


def _are_one(one: Output, other: Output) -> bool:
    if one.place is None or other.place is None:
        return one.place is other.place and one.descriptor == other.descriptor
    return _same(one.place, other.place)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn whatever the system refuses inside the block into a StorageError about `name`."""
    try:
        with storage_errors(Path(name)):
            yield
    except BrokenPipeError:
        raise  # the reader has gone: the command ends in silence
    except OSError as error:
        raise _unwritable(Path(name), (error.strerror or str(error)).lower()) from error


@contextmanager
def _duplicate(descriptor: int) -> Iterator[IO[str]]:
    """A text stream onto an open descriptor; what was printed before comes first."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if descriptor == 1:
        yield sys.stdout
        sys.stdout.flush()
        return
    with os.fdopen(os.dup(descriptor), "w", encoding="utf-8") as file:
        yield file
