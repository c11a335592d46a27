"""Models, adapters and templates that cannot be used, at the command line: one sentence each."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

import luciola
from luciola.cli.main import main
from models_on_disk import write_gguf
from support import build_llama, build_tokenizer, write_chats, write_model

Disk = namedtuple("Disk", "total used free")
STRICT = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}{{ m.content }}{% endfor %}"
)


@pytest.fixture(autouse=True, scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, an adapter for it, damaged ones, a lost base, a wider model, a strange GGUF."""
    folder = tmp_path_factory.mktemp("bad")
    model = write_model(folder / "model")
    chats = write_chats(folder / "chats.jsonl", rows=2)
    luciola.sft(
        model=str(model), data=str(chats), max_steps=1, device="cpu", out=str(folder / "run")
    )
    lost = folder / "lost"
    (folder / "run" / "model").rename(lost)
    settings = json.loads((lost / "adapter_config.json").read_text())
    (folder / "run" / "model").mkdir()
    for file in lost.iterdir():
        (folder / "run" / "model" / file.name).write_bytes(file.read_bytes())
    settings["base_model_name_or_path"] = "/nowhere/base"
    (lost / "adapter_config.json").write_text(json.dumps(settings))
    for name, file in (("cut", "adapter_model.safetensors"), ("torn", "adapter_config.json")):
        shutil.copytree(folder / "run" / "model", folder / name)
        (folder / name / file).write_bytes((folder / name / file).read_bytes()[:100])
    build_llama(attention="sdpa", width=64).save_pretrained(str(folder / "wide"))
    build_tokenizer().save_pretrained(str(folder / "wide"))
    write_gguf(folder / "odd.gguf", architecture="starcoder")
    (folder / "strict.jinja").write_text(STRICT)
    row = [{"role": "assistant", "content": "x"}, {"role": "user", "content": "u"}]
    (folder / "order.jsonl").write_text(json.dumps({"messages": row}) + "\n")
    return folder


SFT = "train sft model=model data=chats.jsonl device=cpu"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (f"{SFT} adapter=loraa", "adapter must be full, lora, qlora,"),
        ("chat model hi --adapter nowhere", "there is no adapter 'nowhere': no such folder"),
        ("chat model hi --adapter model", "model is not an adapter: it has no adapter_config"),
        ("chat lost hi", "belongs to the model '/nowhere/base', which is not there"),
        ("merge lost out", "belongs to the model '/nowhere/base', which is not there"),
        ("merge model out", "model is no adapter: it has no adapter_config.json"),
        (f"chat model {'a' * 400}", "the model's context of 256 leaves no room for an answer"),
        ("chat model hi --adapter cut", "cut/adapter_model.safetensors is damaged"),
        ("chat cut hi", "cut/adapter_model.safetensors is damaged"),
        ("merge cut out", "cut/adapter_model.safetensors is damaged"),
        (f"{SFT} model=cut", "cut/adapter_model.safetensors is damaged"),
        ("chat model hi --adapter torn", "torn/adapter_config.json cannot be read as JSON"),
        ("merge torn out", "torn/adapter_config.json cannot be read as JSON"),
        ("chat chats.jsonl hi", "but not a GGUF file\n  → A model is a folder"),
        ("chat model/config.json hi", "but not a GGUF file\n  → Give the model's folder: model"),
        ("chat odd.gguf hi", "architecture 'starcoder', which transformers cannot read"),
        ("export odd.gguf --gguf out.gguf", "architecture 'starcoder', which transformers cannot"),
        (f"{SFT} model=odd.gguf", "architecture 'starcoder', which transformers cannot read"),
        ("train sft model=model data=order.jsonl", "order.jsonl:1: the conversation has no assis"),
        (f"{SFT} template=strict.jinja system=hi", "refuses a conversation of system, user, assis"),
        ("chat model hi --template strict.jinja --system hi", "refuses a conversation of system"),
    ],
)
def test_it_is_told_in_one_sentence(
    words: str,
    said: str,
    _files: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(_files)
    assert main(words.split()) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("error: ") == 1
    assert "  → " in error
    assert "Traceback" not in error
    assert not (_files / "out").exists()


def test_an_adapter_for_a_narrower_base_names_what_does_not_fit(
    _files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A weight and its sizes, not only torch's heading."""
    monkeypatch.chdir(_files)
    assert main(["chat", "wide", "hi", "--adapter", "run"]) == 1
    error = capsys.readouterr().err
    assert "was trained on" in error
    assert f"does not fit its base {_files / 'wide'} (size mismatch for " in error


def test_a_merge_without_space_is_refused_before_it_begins(
    _files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(_files)
    monkeypatch.setattr("shutil.disk_usage", lambda path: Disk(1000, 1000, 0))
    assert main(["merge", "run", "out"]) == 1
    error = capsys.readouterr().err
    assert "GB free" in error
    assert "name a folder on another disk" in error
    assert not (_files / "out").exists()
