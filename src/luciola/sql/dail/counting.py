"""How many tokens a text takes: by a model's own tokenizer, or by tiktoken's encodings."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from luciola.errors import ConfigError, MissingExtraError, ModelError

Count = Callable[[str], int]


def token_counter(name: str) -> Count:
    """The count of a folder with `tokenizer.json`, or of an encoding or model that tiktoken knows.

    Raises: MissingExtraError without tiktoken where it is needed; ModelError where the file is
        broken; ConfigError where `name` is neither.
    """
    path = Path(name).expanduser()
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file() and (path.is_dir() or "/" in name):
        raise ConfigError(
            f"there is no tokenizer: no file {file}",
            remedy="Give a model's folder with tokenizer.json, or an encoding, e.g. cl100k_base.",
        )
    return _own(file) if file.is_file() else _tiktoken(name)


def _own(file: Path) -> Count:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the package raises bare Exception
        raise ModelError(f"the tokenizer {file} cannot be read: {error}") from error
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def _tiktoken(name: str) -> Count:
    try:
        package = importlib.import_module("tiktoken")
    except ImportError:
        raise MissingExtraError(
            "tiktoken", extra="tiktoken", purpose=f"counting tokens as {name!r} does"
        ) from None
    find = package.get_encoding if "_base" in name else package.encoding_for_model
    try:
        encoding = find(name)
    except (KeyError, ValueError):
        raise ConfigError(
            f"{name!r} is no folder with tokenizer.json, and tiktoken does not know it",
            remedy="Give --tokenizer a model's folder, or e.g. cl100k_base.",
        ) from None
    return lambda text: len(encoding.encode(text, disallowed_special=()))
