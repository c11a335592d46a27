"""train_args files, run on a small model through the command line, and pre-training's blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luciola.cli.main import main
from luciola.compat.firefly.blocks import load_blocks, text_files
from luciola.config.load import from_mapping
from luciola.config.sft import SftConfig
from luciola.conversation.firefly.source import firefly_name
from luciola.conversation.render import Renderer
from luciola.errors import DataError
from luciola.models.load import load_tokenizer
from luciola.types import Message
from support import build_tokenizer, write_model

USUAL: dict[str, Any] = {
    "train_mode": "lora",
    "num_train_epochs": 1,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 2,
    "learning_rate": 2e-3,
    "max_seq_length": 64,
    "logging_steps": 1,
    "save_total_limit": 1,
    "lr_scheduler_type": "constant_with_warmup",
    "warmup_ratio": 0.1,
    "lora_rank": 4,
    "optim": "adamw_hf",
    "fp16": True,
    "report_to": "none",
}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A small model in a folder."""
    return write_model(tmp_path / "tiny")


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A JSONL file."""
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def train_args(folder: Path, model: Path, data: Path, **changes: Any) -> Path:
    """A train_args file."""
    path = folder / "train_args.json"
    values = {**USUAL, "model_name_or_path": str(model), "train_file": str(data), **changes}
    values["output_dir"] = str(folder / "output")
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def chats(path: Path) -> Path:
    """Conversations in Firefly's format."""
    turns = [[{"human": f" {i}+1? ", "assistant": f"{i + 1}\n"}] * 2 for i in range(8)]
    return write_rows(path, [{"conversation": t, "conversation_id": 1} for t in turns])


def comparisons(path: Path) -> Path:
    """Comparisons in Firefly's format."""
    rows = []
    for i in range(8):
        history = [{"role": "system", "content": "S"}, {"role": "user", "content": f"{i}?"}]
        answers = [{"role": "assistant", "content": text} for text in ("yes", "no")]
        rows.append({"prompt": "p", "chosen": [*history, answers[0]]})
        rows[-1]["rejected"] = [*history, answers[1]]
    return write_rows(path, rows)


def last_figures(folder: Path) -> dict[str, Any]:
    """The last line of a run's metrics that has a loss."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    found: dict[str, Any] = [f for f in map(json.loads, lines) if "loss" in f][-1]
    return found


def test_fine_tuning_runs_and_the_model_keeps_the_template(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = train_args(tmp_path, tiny, chats(tmp_path / "c.jsonl"), template_name="yi")
    assert main(["train", "sft", str(path)]) == 0
    said = capsys.readouterr().err
    assert "task_type=sft" in said and "optim=adamw_hf is optimizer=adamw" in said
    assert (tmp_path / "output" / "recipe.yaml").is_file()
    tokenizer = load_tokenizer(tmp_path / "output" / "model")
    assert firefly_name("", tokenizer.chat_template) == "yi"
    kept = Renderer(tokenizer).prompt_ids([Message("user", "a")])
    named = Renderer(tokenizer, template="firefly:yi").prompt_ids([Message("user", "a")])
    assert kept == named
    assert last_figures(tmp_path / "output")["step"] == 2


def test_dpo_runs_from_either_command(tiny: Path, tmp_path: Path) -> None:
    data = comparisons(tmp_path / "d.jsonl")
    path = train_args(tmp_path, tiny, data, template_name="qwen", task_type="dpo")
    assert main(["train", "dpo", str(path), "max_length=200"]) == 0
    figures = [json.loads(x) for x in (tmp_path / "output/metrics.jsonl").read_text().splitlines()]
    first = next(f for f in figures if "loss" in f)
    assert first["loss"] == pytest.approx(0.6931472, abs=1e-6)
    assert main(["train", "sft", str(path), "max_length=200", "--fresh", "--dry-run"]) == 0


def test_the_command_of_dpo_refuses_another_task(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = train_args(tmp_path, tiny, chats(tmp_path / "c.jsonl"), template_name="yi")
    assert main(["train", "dpo", str(path)]) == 2
    assert "its task_type is sft, not dpo" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["reward", "ilql", "ppo", "a2c", "grpo", "rloo"])
def test_methods_that_firefly_lacks_name_those_that_it_has(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = train_args(tmp_path, tmp_path, tmp_path / "c.jsonl", template_name="yi")
    assert main(["train", method, str(path)]) == 2
    said = capsys.readouterr().err
    assert f"for sft, pretrain and dpo, not for {method}\n" in said
    assert f"luciola train sft {path} runs it" in said


def test_pretraining_runs_in_full(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    (folder / "deep").mkdir(parents=True)
    write_rows(folder / "a.jsonl", [{"text": "abc " * 30}] * 3)
    write_rows(folder / "deep" / "b.jsonl", [{"text": "xyz " * 30}] * 3)
    path = train_args(tmp_path, tiny, folder, task_type="pretrain", train_mode="full")
    assert main(["train", "sft", str(path)]) == 0
    assert last_figures(tmp_path / "output")["step"] == 3


def blocks_of(folder: Path, length: int) -> list[str]:
    """The texts of the blocks of a folder."""
    values = {"model": "m", "data": str(folder), "max_length": length}
    tokenizer = build_tokenizer()
    examples = load_blocks(from_mapping(SftConfig, values), tokenizer)
    samples = [examples.source.tokens(i, 0) for i in range(len(examples.source))]
    assert all(sample.trained[1:].all() and not sample.trained[0] for sample in samples)
    return [tokenizer.decode(sample.ids) for sample in samples]


def test_texts_are_joined_cut_and_the_rest_dropped(tmp_path: Path) -> None:
    write_rows(tmp_path / "b.jsonl", [{"text": "abcd"}, {"text": "efghij"}, {"text": "k"}])
    assert blocks_of(tmp_path, 4) == ["abcd", "efgh"]


def test_a_file_shorter_than_a_block_is_kept_whole(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", [{"text": "abc"}])
    write_rows(tmp_path / "b.jsonl", [{"text": "uvwxyz"}])
    assert blocks_of(tmp_path, 4) == ["abc", "uvwx"]


def test_a_single_token_is_no_block(tmp_path: Path) -> None:
    """Nothing stands before it that it could be predicted from."""
    write_rows(tmp_path / "a.jsonl", [{"text": "abc"}])
    write_rows(tmp_path / "b.jsonl", [{"text": "u"}])
    assert blocks_of(tmp_path, 4) == ["abc"]
    (tmp_path / "a.jsonl").unlink()
    with pytest.raises(DataError, match="no block of two tokens"):
        blocks_of(tmp_path, 4)


def test_only_jsonl_files_are_read_so_that_a_cache_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "cache" / "a").mkdir(parents=True)
    (tmp_path / "cache" / "a" / "state.json").write_text("{}")
    file = write_rows(tmp_path / "a.jsonl", [{"text": "abc"}])
    assert text_files(str(tmp_path)) == [file]
    file.unlink()
    with pytest.raises(DataError, match=r"no \*\.jsonl file"):
        text_files(str(tmp_path))


def test_a_row_without_text_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", [{"text": "abc"}, {"txt": "abc"}])
    with pytest.raises(DataError, match=r"a\.jsonl:2: the row has no 'text'"):
        blocks_of(tmp_path, 4)
