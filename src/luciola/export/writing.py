"""A model written as one GGUF file, read back, and compared with what it was before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray

from luciola.errors import ConfigError
from luciola.export.architecture import architecture_of, rope_factors, rope_of, write_sizes
from luciola.export.modelfile import modelfile
from luciola.export.tensors import KINDS, Entry, entries, steps
from luciola.export.vocabulary import vocabulary_of, write_vocabulary
from luciola.models import folders
from luciola.models import gguf as reading
from luciola.models.adapter_files import check_mergeable
from luciola.models.agreement import CHATS, SENTENCES, Agreement, Probe, check_explained
from luciola.models.load import base_source, end_ids, load_model, load_tokenizer
from luciola.models.merge import merged_model
from luciola.models.rounding import Step
from luciola.models.save import original_dtype
from luciola.models.source import ADAPTER, Source, resolve
from luciola.runs.outputs import Output, check_output

log = logging.getLogger(__name__)

QUANTIZATION_VERSION = 2


@dataclass(frozen=True)
class Export:
    """What an export came to.

    Args:
        file: the GGUF file.
        modelfile: Ollama's, beside it.
        size_bytes: of the GGUF file.
        seen: the model against what was read back from the file.
        rounding: what was read back against itself under noise as large as the rounding.
        same_tokens: whether the tokenizer read back cuts the probe's texts in the same way.
    """

    file: Path
    modelfile: Path
    size_bytes: int
    seen: Agreement
    rounding: Agreement
    same_tokens: bool


def export_gguf(
    model: str | Path,
    out: str | Path,
    *,
    kind: str = "f16",
    trust_remote_code: bool = False,
    overwrite: bool = False,
) -> Export:
    """Write a model as GGUF, with its tokenizer and chat template, and a Modelfile beside it.

    Args:
        model: bundled name, folder, hub id or GGUF file; an adapter is merged first, in float32.
        out: the file to write.
        kind: type of the matrices, f16 or q8_0.
        overwrite: replace the two files if they are there.

    Raises:
        ConfigError: an unknown type, a file that is there already, or one of the model's own.
        ModelError: an architecture or tokenizer that cannot be written, or a file that does not
            say what the model says.
        StorageError: there is no space.
    """
    if kind not in KINDS:
        raise ConfigError(f"type must be {' or '.join(KINDS)}, got {kind!r}")
    source = resolve(model)
    output, beside = _outputs(out, source, overwrite=overwrite)
    file, template = Path(out).expanduser(), Path(beside.name)
    loaded, tokenizer, probe = _load(source, trust_remote_code)
    found = list(entries(loaded, architecture_of(loaded), "q8_0" if kind == "q8_0" else "f16"))
    needed = sum(entry.num_bytes for entry in found)
    folders.check_space(file, needed)
    ends = tokenizer.convert_ids_to_tokens(list(end_ids(tokenizer, loaded)))
    with output.replacing(needed) as temporary:
        _write(temporary, loaded, tokenizer, found, kind, _title(file))
        config, noise = loaded.config, steps(found)
        del loaded, found  # before the file is read back
        seen, rounding = _compare(temporary, config, probe, noise)
        check_explained(
            seen, rounding, what="the GGUF file", remedy="Nothing was written: the model uses "
            "something that this export leaves out.",
        )  # fmt: skip
        same = _check_tokens(temporary, tokenizer)
    beside.write(modelfile(file.name, tokenizer, ends))
    return Export(file, template, file.stat().st_size, seen, rounding, same)


def _outputs(out: str | Path, source: Source, *, overwrite: bool) -> tuple[Output, Output]:
    """The GGUF file and the Modelfile, checked."""
    file = Path(out).expanduser()
    name = file.with_suffix("") if file.suffix == ".gguf" else file
    read = [source.path] if source.is_local else []
    if source.is_local and not source.gguf_file and (source.path / ADAPTER).is_file():
        base = base_source(source)
        read += [base.path] if base.is_local else []
    files = (file, name.with_name(f"{name.name}.Modelfile"))
    gguf_file, template = (
        check_output(each, inputs=read, overwrite=overwrite, needs_file=True) for each in files
    )
    return gguf_file, template


def _title(file: Path) -> str:
    """The model's name within the file, after the file's.

    transformers takes a model whose name is exactly "mistral" for a type that it cannot read.
    """
    return "Mistral" if file.stem == "mistral" else file.stem


def _load(source: Source, trust_remote_code: bool) -> tuple[Any, Any, Probe]:
    """The whole model, its tokenizer, and what it said."""
    if source.is_local and not source.gguf_file and (source.path / ADAPTER).is_file():
        check_mergeable(source)
        adapted = merged_model(source, torch.float32, trust_remote_code=trust_remote_code)
        return adapted.model, adapted.tokenizer, adapted.probe
    dtype = torch.float32 if source.gguf_file else original_dtype(source.location)
    model = load_model(source, dtype=dtype, trust_remote_code=trust_remote_code)
    architecture_of(model)  # refused before the probe
    tokenizer = load_tokenizer(source, trust_remote_code=trust_remote_code)
    return model, tokenizer, Probe.of(model, tokenizer)


def _write(
    file: Path, model: Any, tokenizer: Any, found: Sequence[Entry], kind: str, name: str
) -> None:
    """Write the head, then one tensor after the other, so that one only is held twice."""
    num_rows = model.get_input_embeddings().weight.shape[0]
    with closing(gguf.GGUFWriter(file, architecture_of(model).name)) as writer:
        writer.add_name(name)
        writer.add_file_type(KINDS[kind])
        writer.add_quantization_version(QUANTIZATION_VERSION)
        write_sizes(writer, model.config, num_rows)
        write_vocabulary(writer, vocabulary_of(tokenizer, num_rows), tokenizer)
        _write_tensors(writer, rope_factors(model.config), found)


def _write_tensors(
    writer: gguf.GGUFWriter, factors: NDArray[np.float32] | None, found: Sequence[Entry]
) -> None:
    if factors is not None:
        writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
    for entry in found:
        shape, size = entry.byte_shape, entry.num_bytes
        writer.add_tensor_info(entry.name, shape, np.dtype("uint8"), size, entry.type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for data in [] if factors is None else [factors]:
        writer.write_tensor_data(data)
    for entry in found:
        writer.write_tensor_data(entry.data())


def _compare(
    file: Path, config: Any, probe: Probe, noise: dict[str, Step]
) -> tuple[Agreement, Agreement]:
    """What was read back against the model, and against itself under noise of the rounding."""
    written: Any = reading.read_model(file)
    if rope_of(config)["rope_type"] != "default":
        # transformers reads no rotary scaling from GGUF; llama.cpp does.
        written.model.rotary_emb = type(written.model.rotary_emb)(config)
    return probe.compared(written, noise)


def _check_tokens(file: Path, tokenizer: Any) -> bool:
    """Whether the file's tokenizer cuts the probe's texts alike; a notice where it does not."""
    read = reading.read_tokenizer(file)
    texts = [*SENTENCES, *(turn["content"] for chat in CHATS for turn in chat)]
    for text in texts:
        if read(text)["input_ids"] != tokenizer(text)["input_ids"]:
            log.warning("the file's tokenizer, as transformers reads it, cuts %r otherwise", text)
            return False
    return True
