"""Files, folders of models and a person's own Python files, by what is in them."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from luciola.fingerprints.walk import DIGITS, Fingerprint

WHOLE = 16 * 2**20
"""Bytes up to which a file is read whole; of a larger one 64 pieces over its length."""
PIECES, PIECE = 64, 64 * 2**10
MODEL = {".safetensors", ".bin", ".json", ".jinja", ".model", ".gguf", ".txt", ".npz"}
"""Endings of the files that decide what a model's folder gives."""


def path_digest(path: Path) -> str:
    """Of a file's content, or of the files of a model's folder, with their names."""
    digest = hashlib.blake2b(digest_size=16)
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.is_file() and file.suffix in MODEL and not file.name.startswith("."):
                digest.update(file.name.encode())
                _add(digest, file)
    else:
        _add(digest, path)
    return digest.hexdigest()[:DIGITS]


def _add(digest: hashlib.blake2b, file: Path) -> None:
    size = file.stat().st_size
    digest.update(f"\0{size}\0".encode())
    with file.open("rb") as opened:
        if size <= WHOLE:
            digest.update(opened.read())
            return
        for piece in range(PIECES):
            opened.seek((size - PIECE) * piece // (PIECES - 1))
            digest.update(opened.read(PIECE))


def code_digest(found: Fingerprint) -> str:
    """Of what a person's Python file defines, which a later process makes anew from the file.

    Where a part could not be read, such as a connection that the file opens, the files themselves
    decide: their code without comments and docstrings.
    """
    if not found.unknown:
        return found.digest
    digest = hashlib.blake2b(found.digest.encode(), digest_size=16)
    for name in found.files:
        digest.update(_source(Path(name)))
    return digest.hexdigest()[:DIGITS]


def _source(file: Path) -> bytes:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return b"unreadable"
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)]  # type: ignore[attr-defined]
    return ast.dump(tree).encode()


def _is_text(node: ast.AST) -> bool:
    """A docstring, or another text that nothing is done with."""
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_constant and isinstance(node.value.value, str)  # type: ignore[attr-defined]
