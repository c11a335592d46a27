"""A model's folder, and a machine without a network."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from models_on_disk import build_tokenizer
from support import build_llama, write_model

CODE = """
from transformers import LlamaConfig, LlamaForCausalLM


class OwnConfig(LlamaConfig):
    model_type = "own_llama"


class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""
TOKENIZER = """
from transformers import PreTrainedTokenizerFast


class OwnTokenizer(PreTrainedTokenizerFast):
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder as save_pretrained writes it, tokenizer included."""
    path = tmp_path / "saved"
    build_llama(attention="sdpa").save_pretrained(path)
    build_tokenizer().save_pretrained(path)
    return path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """No connection can be made; whoever asked for one is in the list."""
    asked: list[Any] = []

    def refuse(*address: Any, **_: Any) -> Any:
        asked.append(address)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    return asked


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny Llama under a type that only its own file knows."""
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    folder = write_model(tmp_path / "own")
    (folder / "modeling_own.py").write_text(CODE)
    file = folder / "config.json"
    settings = json.loads(file.read_text()) | {
        "model_type": "own_llama",
        "architectures": ["OwnForCausalLM"],
        "auto_map": {
            "AutoConfig": "modeling_own.OwnConfig",
            "AutoModelForCausalLM": "modeling_own.OwnForCausalLM",
        },
    }
    file.write_text(json.dumps(settings))
    return folder


@pytest.fixture
def spelt(own: Path) -> Path:
    """The same with a tokenizer that only its own file knows, as ChatGLM has it."""
    (own / "tokenization_own.py").write_text(TOKENIZER)
    file = own / "tokenizer_config.json"
    settings = json.loads(file.read_text()) | {
        "tokenizer_class": "OwnTokenizer",
        "auto_map": {"AutoTokenizer": [None, "tokenization_own.OwnTokenizer"]},
    }
    file.write_text(json.dumps(settings))
    return own
