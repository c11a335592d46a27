"""Vectors of questions from a sentence encoder, computed once per text and kept in a folder.

Needs the extra `similarity` (sentence-transformers). Without it, `luciola.sql.dail.similarity.bm25`
compares words.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from luciola.errors import ConfigError, MissingExtraError, ModelError, StorageError

ENCODERS = MappingProxyType(
    {
        "minilm": "sentence-transformers/all-MiniLM-L6-v2",
        "mpnet": "sentence-transformers/all-mpnet-base-v2",
    }
)
"""`mpnet` is the original's; `minilm` is a fifth of its size."""
PARTIAL = ".partial.npy"
KEPT = re.compile(r"[0-9a-f]{24}(\.partial)?\.npy")
Encode = Callable[[list[str]], NDArray[np.float32]]


def embed(
    texts: Sequence[str], model: str, *, folder: Path | None = None, encode: Encode | None = None
) -> NDArray[np.float32]:
    """(len(texts), d) vectors of length 1; equal texts have the same vector to the bit.

    Args:
        model: a name in `ENCODERS`, a folder, or a hub id.
        folder: where vectors are kept, in one file per model and list of texts; None: nowhere.
        encode: the encoder to use instead of loading `model`.

    Raises: MissingExtraError without sentence-transformers; ModelError if `model` cannot be loaded.
    """
    different = list(dict.fromkeys(texts))
    place = {text: index for index, text in enumerate(different)}
    kept = None if folder is None else folder / f"{_address(model, different)}.npy"
    vectors = None if kept is None else _kept(kept, len(different))
    if vectors is None:
        vectors = np.asarray((encode or _encoder(model))(different), dtype=np.float32)
        if kept is not None:
            _keep(kept, vectors)
    return vectors[[place[text] for text in texts]]


def _encoder(model: str) -> Encode:
    try:
        package = importlib.import_module("sentence_transformers")
    except ImportError as error:  # also where a package that it needs itself is missing
        raise MissingExtraError(
            "sentence-transformers" if error.name == "sentence_transformers" else str(error.name),
            extra="similarity",
            purpose="comparing questions by meaning",
        ) from None
    try:
        encoder = package.SentenceTransformer(ENCODERS.get(model, model), device="cpu")
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"the sentence encoder {model} cannot be loaded: {reason}",
            remedy="Give a folder that holds one, or --similarity bm25, which needs no model.",
        ) from error
    return lambda texts: encoder.encode(texts, normalize_embeddings=True, show_progress_bar=False)


def _address(model: str, texts: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join([model, *texts]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:24]


def _kept(path: Path, count: int) -> NDArray[np.float32] | None:
    """The vectors in a file; None where there is none, or one that is damaged."""
    if not path.is_file():
        return None
    try:
        vectors: NDArray[np.float32] = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == count else None


def _keep(path: Path, vectors: NDArray[np.float32]) -> None:
    """Written beside and renamed, so that a file is never half there.

    Raises: StorageError where nothing can be written.
    """
    partial = path.with_suffix(PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(partial, vectors)
        partial.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path.parent} cannot keep vectors ({error.strerror})",
            remedy="Name another folder, or leave --embeddings out.",
        ) from None


def check_vectors_folder(folder: Path) -> None:
    """Whether vectors can be kept in a folder; asked before they are computed.

    Raises: ConfigError where it is a file, or holds anything that is not kept vectors.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--embeddings: {folder} is a file, not a folder")
    names = [path.name for path in folder.glob("*") if not path.name.startswith(".")]
    foreign = sorted(name for name in names if not KEPT.fullmatch(name))
    if foreign:
        raise ConfigError(
            f"--embeddings: {folder} is not empty and holds no vectors (it has {foreign[0]!r})",
            remedy="Name a new folder; nothing in this one was touched.",
        )
