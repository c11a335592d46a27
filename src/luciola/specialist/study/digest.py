"""What files hold, as a hash: it stays the same where they are moved, copied or only touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

SUFFIXES = (".safetensors", ".bin", ".gguf", ".json", ".jinja", ".model", ".txt", ".py")
"""Of a model's files that decide what it answers: weights, settings, tokenizer, template, code."""


def of_model(path: Path) -> str:
    """A model's folder or GGUF file, without the files that only tell of it."""
    if path.is_file():
        return of_file(path)
    files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
    found = [(file.name, of_file(file)) for file in files]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
