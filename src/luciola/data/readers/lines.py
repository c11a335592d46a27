"""Rows of JSON files: one object per line (JSONL), or one array of objects; also gzipped.

Which of the two a file holds is seen from its first character, not from its name: many .json files
hold lines.
"""

from __future__ import annotations

import codecs
import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from luciola.data.readers.record import Record, kind
from luciola.errors import DataError
from luciola.types import Origin

WHITE_SPACE = re.compile(r"[ \t\r\n]*")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BROKEN_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)


def json_rows(path: Path) -> Iterator[Record | DataError]:
    """The rows of a JSON or JSONL file; a row that cannot be read comes as its error.

    Raises: DataError if nothing can be read any more: not UTF-8 text, broken compression or array.
    """
    try:
        with open_bytes(path) as file:
            if _first_character(file) == b"[":
                yield from _array(path, file.read())
            else:
                yield from _lines(path, file)
    except BROKEN_GZIP as error:
        raise DataError(
            f"the gzip file is broken: {error}", path=path, remedy="Fetch or pack it again."
        ) from error


def open_bytes(path: Path) -> IO[bytes]:
    """A file as bytes, unpacked if its name ends in .gz."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def decode(data: bytes, path: Path, line: int) -> str:
    """Bytes that begin at `line` as text; a byte order mark is dropped.

    Raises: DataError that names the line of the first byte that is no UTF-8, or that it is UTF-16.
    """
    if line == 1 and data.startswith(UTF_16):
        raise DataError(
            "is UTF-16 text, and UTF-8 is needed",
            path=path,
            remedy="Save it as UTF-8, or convert it: `iconv -f UTF-16 -t UTF-8 FILE > OUT`.",
        )
    try:
        return data.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        line += data.count(b"\n", 0, error.start)
        raise DataError(
            f"the byte 0x{data[error.start]:02x} is no UTF-8 text",
            path=path,
            line=line,
            remedy="Convert the file, e.g. with `iconv -f LATIN1 -t UTF-8 FILE > OUT`.",
        ) from error


def read_text(path: Path) -> str:
    """A text file whole, without its byte order mark; lines end in \\n alone.

    Raises: DataError saying why it cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        remedy = "Check the name and the folder."
        raise DataError("there is no such file", path=path, remedy=remedy) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", path=path) from None
    return decode(data, path, 1).replace("\r\n", "\n")


def _first_character(file: IO[bytes]) -> bytes:
    """The first byte that is no white space; the file is then at its beginning again."""
    start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    return start[:1]


def _lines(path: Path, file: IO[bytes]) -> Iterator[Record | DataError]:
    for number, data in enumerate(file, start=1):
        if number == 1 and data.startswith(UTF_16):
            decode(data, path, 1)  # says so, once for the file
        if data.strip():
            yield _line(path, number, data)


def _line(path: Path, number: int, data: bytes) -> Record | DataError:
    try:
        value = json.loads(decode(data, path, number))
    except DataError as error:
        return error
    except (ValueError, RecursionError) as error:
        return _invalid(path, number, error)
    return _record(path, number, value)


def _array(path: Path, data: bytes) -> Iterator[Record | DataError]:
    """The array's elements, decoded one by one so that each has its line."""
    text, decoder = decode(data, path, 1), json.JSONDecoder()
    at = _skip(text, text.index("[") + 1)
    line, counted = 1, 0
    if text[at : at + 1] == "]":
        return
    while True:
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _invalid(path, line, error) from error
        yield _record(path, line, value)
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise _invalid(path, line, json.JSONDecodeError("Expecting ',' or ']'", text, at))
        at = _skip(text, at + 1)
    after = _skip(text, at + 1)
    if after < len(text):
        raise _invalid(path, line, json.JSONDecodeError("More after the array", text, after))


def _skip(text: str, at: int) -> int:
    """Index of the first character from `at` on that is no white space."""
    match = WHITE_SPACE.match(text, at)
    return match.end() if match else at


def _invalid(path: Path, line: int, error: Exception) -> DataError:
    """The error for JSON that cannot be read; `line` is where its row begins."""
    if not isinstance(error, json.JSONDecodeError):  # nested too deeply, a number too long
        return DataError(f"the row cannot be read: {error}", path=path, line=line)
    one_line = "\n" not in error.doc.strip()
    if one_line:  # where a line ends too early, json points behind its line break
        text = error.doc.rstrip()
        error = json.JSONDecodeError(error.msg, text, min(error.pos, len(text)))
    return DataError(
        f"not valid JSON: {error.msg} at character {error.colno}, near {_around(error)}",
        path=path,
        line=line if one_line else error.lineno,
        remedy="A file holds one JSON object per line, or one array of objects.",
    )


def _around(error: json.JSONDecodeError) -> str:
    """A little of the text where the error is, or that it ends there."""
    text = error.doc[max(0, error.pos - 20) : error.pos + 20].strip()
    return repr(text) if error.doc[error.pos :].strip() else f"{text!r}, which is the end"


def _record(path: Path, line: int, value: Any) -> Record | DataError:
    if not isinstance(value, dict):
        return DataError(f"a row must be an object, got {kind(value)}", path=path, line=line)
    return record(path, line, value)


def record(path: Path | str, line: int, values: dict[str, Any]) -> Record:
    """A row without its null fields."""
    filled = {key: value for key, value in values.items() if value is not None}
    return Record(filled, Origin(str(path), line))
