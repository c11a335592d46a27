"""Reading a GGUF file, llama.cpp's format, into an ordinary transformers model in float32.

Quantised weights are expanded when they are read; training or saving needs them so. Which
architectures can be read is up to transformers. Writing GGUF is left out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luciola.errors import ModelError
from luciola.models.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def read(file: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model (float32, on the CPU) and tokenizer of a GGUF file."""
    return read_model(file), read_tokenizer(file)


def read_model(file: Path) -> PreTrainedModel:
    """The model of a GGUF file, weights expanded to float32.

    Raises: ModelError when the file is damaged or of an architecture that transformers cannot read.
    """
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    _check(file)
    try:
        # Its progress bar is a plain tqdm that no setting of transformers reaches.
        with quiet(), redirect_stderr(io.StringIO()), _nameless():
            model = AutoModelForCausalLM.from_pretrained(
                file.parent,
                gguf_file=file.name,
                dtype=torch.float32,
                # Without this the model counts as quantised, and save_pretrained refuses it.
                quantization_config=GgufConfig(dequantize=True),
                local_files_only=True,
            )
    except Exception as error:  # a damaged file fails in many ways, some as bare Exceptions
        raise _unreadable(file, error) from error
    model.name_or_path = str(file.absolute())  # transformers would record the folder
    return model


def read_tokenizer(file: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that a GGUF file carries, chat template included."""
    from transformers import AutoTokenizer

    _check(file)
    try:
        with quiet(), _nameless():
            return AutoTokenizer.from_pretrained(
                file.parent, gguf_file=file.name, local_files_only=True
            )
    except Exception as error:  # a damaged file fails in many ways, some as bare Exceptions
        raise _unreadable(file, error) from error


@contextmanager
def _nameless() -> Iterator[None]:
    """Within it transformers reads no `general.name`.

    It takes a file of llama's architecture for another one where the name is exactly "mistral", and
    then cannot read it. llama.cpp itself goes by the architecture alone.
    """
    from transformers import modeling_gguf_pytorch_utils as reading

    read_field = reading.read_field

    def without_name(reader: Any, field: str) -> Any:
        return [] if field == "general.name" else read_field(reader, field)

    reading.read_field = without_name
    try:
        yield
    finally:
        reading.read_field = read_field


def context_length(file: Path) -> int | None:
    """Tokens that the model of a GGUF file can see, as the file's head says; None: it does not."""
    from gguf import GGUFReader

    _check(file)
    try:
        fields = GGUFReader(file).fields
    except Exception as error:  # as in read_model
        raise _unreadable(file, error) from error
    architecture = fields["general.architecture"].contents()
    field = fields.get(f"{architecture}.context_length")
    return None if field is None else int(field.contents())


def _check(file: Path) -> None:
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise ModelError(
            f"reading {file.name} needs the package gguf, which is not installed",
            remedy="pip install gguf",
        ) from error
    with file.open("rb") as handle:
        magic = handle.read(4)
    if magic != b"GGUF":
        raise ModelError(f"{file} is not a GGUF file: it begins with {magic!r}")


def _unreadable(file: Path, error: Exception) -> ModelError:
    architecture = _architecture(file)
    if "architecture" in str(error) or "not supported" in str(error):
        return ModelError(
            f"{file} holds a model of architecture {architecture!r}, "
            "which transformers cannot read from GGUF",
            remedy="Use the same model as a folder of safetensors.",
        )
    first_line = (str(error) or type(error).__name__).splitlines()[0]
    return ModelError(
        f"{file} could not be read as a GGUF model of architecture {architecture!r} ({first_line})",
        remedy="The file may be cut short: compare its size with the original's, or copy it again.",
    )


def _architecture(file: Path) -> str:
    try:
        from gguf import GGUFReader

        return str(GGUFReader(file).fields["general.architecture"].contents())
    except Exception:  # its error is already being reported
        return "unknown"
