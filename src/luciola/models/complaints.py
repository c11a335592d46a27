"""What can be wrong with the files of a model, each told in a sentence with what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luciola.errors import ModelError
from luciola.models import hub
from luciola.models.quiet import quiet
from luciola.models.source import ADAPTER, CONFIG, Source

WEIGHT_FILES = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin")
LANGUAGE_MODELS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


def check_folder(folder: Path, *, weights: bool = True) -> None:
    """Raises: ModelError if a folder lacks a model's configuration, or weights if they matter."""
    if not (folder / CONFIG).is_file():
        raise ModelError(
            f"{folder} has no {CONFIG}, so it is not a model's folder",
            remedy="Give the folder that save_pretrained wrote.",
        )
    json_of(folder / CONFIG)
    if weights and not any_file(folder, WEIGHT_FILES):
        raise ModelError(
            f"{folder} has no weights: no *.safetensors and no pytorch_model.bin",
            remedy="Copy the weights of the model there; its configuration alone is not enough.",
        )


def check_adapter(folder: Path) -> None:
    """Raises: ModelError if an adapter's configuration or weights are damaged."""
    from safetensors import SafetensorError, safe_open

    json_of(folder / ADAPTER)
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(str(file), "pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise ModelError(
                f"{file} is damaged ({first_line(error)})",
                remedy="Copy the adapter's folder again from where it was trained.",
            ) from error


def check_language_model(config: Any, source: Source) -> None:
    """Raises: ModelError if a model's architecture answers no prompts."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    names = config.architectures or []
    known = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    if "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {}):
        return  # its own code has one, under whatever name: ChatGLM calls itself ChatGLMModel
    if names and not any(name.endswith(LANGUAGE_MODELS) or name in known for name in names):
        raise ModelError(
            f"{source.location} is a {names[0]}, not a causal language model",
            remedy="Give a model whose architecture ends in ForCausalLM.",
        )


def check_complete(missing: Iterable[str], source: Source) -> None:
    """Raises: ModelError if weights are missing, which would be random."""
    names = sorted(missing)
    if names:
        raise ModelError(
            f"{source.location} lacks {len(names)} of the model's weights, among them {names[0]}",
            remedy="The folder is incomplete, or holds a model's body without its output head.",
        )


@contextmanager
def explaining(what: str, source: Source, offline: bool) -> Iterator[None]:
    """Quiet, and whatever fails becomes a ModelError: bare Exceptions come from the readers too."""
    try:
        with quiet(downloads=True):
            yield
    except ModelError:
        raise
    except Exception as error:
        raise _explained(what, source, error, offline) from error


def _explained(what: str, source: Source, error: BaseException, offline: bool) -> ModelError:
    if not source.is_local and offline:
        return hub.not_in_cache(source.location)
    if "trust_remote_code" in str(error):
        return unasked_code(source)
    return ModelError(
        f"the {what} in {source.location} cannot be loaded ({first_line(error)})",
        remedy="Its files may be damaged or of a kind that this version of transformers lacks.",
    )


def unasked_code(source: Source) -> ModelError:
    """The error for a model with code of its own, where nobody said that it may run."""
    return ModelError(
        f"{source.location} brings Python code of its own, which is not run unasked",
        remedy="Read that code; if you trust it, set trust_remote_code=true, or add "
        "--trust-remote-code to a command without settings.",
    )


def any_file(folder: Path, patterns: Iterable[str]) -> bool:
    """Whether a folder has a file of one of these names."""
    return any(any(folder.glob(pattern)) for pattern in patterns)


def json_of(file: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises: ModelError where there is none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{file} cannot be read as JSON ({error})",
            remedy="Copy it again from where the model was saved.",
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"{file} holds no JSON object")
    return content


def first_line(error: BaseException) -> str:
    """The first line of an error that says something, cut to what fits a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.endswith(":")] or lines
    text = telling[0] if telling else type(error).__name__
    return text if len(text) <= 160 else text[:159] + "…"
