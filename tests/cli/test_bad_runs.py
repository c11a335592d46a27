"""What stops a run once its files are read, its model loaded, or its steps taken: one sentence."""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from luciola.cli.main import main
from support import write_chats, write_model


@pytest.fixture(autouse=True)
def _files() -> None:
    write_model(Path("model"))
    write_chats(Path("chats.jsonl"))


def last_words(capsys: pytest.CaptureFixture[str], words: str, status: int = 1) -> str:
    """The last sentence of a command that ends with `status`."""
    assert main(words.split()) == status
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert error.count("error: ") == 1
    return error[error.index("error: ") :]


ROW = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ROW * 2 + ROW[:50] + "\n" + ROW, "bad.jsonl:3: not valid JSON: "),
        ("", "bad.jsonl: the data set is empty: it has no rows"),
        ('{"foo": 1, "bar": "x"}\n', "  → Rename the keys so that the rows look like one of these"),
        (
            ROW + '{"messages": [{"role": "user", "content": "a"}]}\n',
            "bad.jsonl:2: the conversation has no assistant turn",
        ),
    ],
    ids=["malformed line", "empty", "unknown format", "no assistant turn"],
)
def test_data_that_cannot_be_used_are_named(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.jsonl").write_text(text)
    assert said in last_words(capsys, "train sft model=model data=bad.jsonl")
    assert not Path("runs").exists()


def test_a_folder_without_weights_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("model/model.safetensors").unlink()
    said = last_words(capsys, "train sft model=model data=chats.jsonl")
    assert said.startswith("error: model has no weights: no *.safetensors")
    assert said == last_words(capsys, "train sft model=model data=chats.jsonl --dry-run")


def test_a_tokenizer_without_a_template_offers_the_ways_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And plain text, which needs none, is trained."""
    Path("model/chat_template.jinja").unlink()
    said = last_words(capsys, "train sft model=model data=chats.jsonl")
    assert "has no chat template" in said
    assert "template=FILE.jinja" in said
    Path("text.jsonl").write_text('{"text": "some words to learn"}\n')
    assert (
        main(["train", "sft", "model=model", "data=text.jsonl", "max_steps=1", "device=cpu"]) == 0
    )


def test_an_example_longer_than_the_context_is_cut_with_a_notice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The model sees 256 tokens, the answer alone has 300; max_length asks for more than that."""
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b" * 300}]
    Path("long.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    words = "train sft model=model data=long.jsonl max_length=2000 max_steps=1 device=cpu out=run"
    words += " max_cut=1"
    assert main(words.split()) == 0
    shown = capsys.readouterr().err
    assert "max_length=2000 is more than the 256 tokens that model can see" in shown
    assert "cut at 256 tokens: 1 example" in shown
    assert "max_length: 256" in Path("run/recipe.yaml").read_text()


def test_a_loss_that_is_no_number_names_the_batch(capsys: pytest.CaptureFixture[str]) -> None:
    """At this rate the weights of the second step are no numbers any more."""
    words = "train sft model=model data=chats.jsonl lr=1e30 warmup=0 device=cpu out=run"
    said = last_words(capsys, words)
    assert said.startswith("error: the loss is nan")
    assert "at step 2, in the batch of chats.jsonl:" in said
    assert "try a smaller lr" in said
    assert not Path("run/model").exists()


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, which fails as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("save_every=1", "run/checkpoints/step-000001"),
        ("save_every=100", "run/model"),
        ("save_every=100 eval_fraction=0.2", "run/checkpoints/best.safetensors"),
    ],
)
def test_a_full_disk_says_what_could_not_be_written_and_loses_nothing(
    settings: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With space again, the same command comes to its end."""
    words = f"train sft model=model data=chats.jsonl max_steps=2 device=cpu out=run {settings}"
    with small_disk(40_000):
        said = last_words(capsys, words)
    assert said.startswith(f"error: {named} could not be written, the disk or quota is full")
    assert "run the same command again" in said
    assert not list(Path("run").rglob(".*.writing"))
    assert main(words.split()) == 0
    assert Path("run/model/adapter_model.safetensors").is_file()


def test_sql_that_loops_for_ever_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    connection = sqlite3.connect("shop.db")
    connection.execute("CREATE TABLE shop (name TEXT)")
    connection.close()
    Path("pairs.jsonl").write_text('{"question": "How many?", "query": "SELECT 1"}\n' * 2)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT SUM(x) FROM n"
    Path("answers.sql").write_text(f"{endless}\nDROP TABLE shop\n")
    words = "sql eval shop.db --pairs pairs.jsonl --predictions answers.sql --timeout 0.5"
    assert main(words.split()) == 0
    shown = capsys.readouterr().out
    assert "pair 1: the query ran longer than 0.5 s and was stopped" in shown
    assert "pair 2: only reading is allowed" in shown


WITHOUT_BITS = {
    "optimizer=adamw8bit": "Take optimizer=adamw.",
    "attention=flash_attention_2": "Leave attention=auto.",
    "attention=flex_attention": "Leave attention=auto.",
}


@pytest.mark.parametrize("method", ["sft", "reward", "dpo", "ilql", "ppo"])
@pytest.mark.parametrize("setting", ["adapter=qlora", "quantize=nf4", *WITHOUT_BITS])
def test_what_needs_a_gpu_is_refused_without_one_at_once_dry_or_not(
    method: str, setting: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    data = "prompts=chats.jsonl reward=length" if method == "ppo" else "data=chats.jsonl"
    words = f"train {method} model=model {data} {setting}"
    said = last_words(capsys, f"{words} --dry-run", status=2)
    assert said.startswith(f"error: {setting} needs a CUDA GPU, and none is used here")
    assert WITHOUT_BITS.get(setting, "adapter=lora quantize=none") in said
    assert said == last_words(capsys, words, status=2)
    assert not Path("runs").exists()
