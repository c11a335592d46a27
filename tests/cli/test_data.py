"""The command `luciola data`, run as a user does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from luciola.cli.main import main
from support import write_model

TALK = {
    "messages": [
        {"role": "user", "content": "q1"},
        {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "q2"},
        {"role": "assistant", "content": "a2"},
    ]
}
TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a tokenizer of single bytes and a chat template, and no weights."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    tokenizer.chat_template = TEMPLATE
    folder = tmp_path_factory.mktemp("model")
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return str(folder)


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """Two conversations."""
    return write(tmp_path / "chats.jsonl", [TALK, TALK])


def write(path: Path, rows: Sequence[Any]) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n")
    return path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `luciola data …`."""
    status = main(["data", *map(str, words)])
    out, err = capsys.readouterr()
    return status, out, err


def test_show_marks_what_is_trained(
    chats: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "show", chats, f"model={model}", "1")
    assert status == 0
    assert f"{chats}: 2 rows, messages (OpenAI)" in out
    shown = "<user>q1</s><assistant>⟦a1</s>⟧<user>q2</s><assistant>⟦a2</s>⟧"
    assert out.count(shown) == 1
    assert f"{chats}:1: 46 tokens, 6 trained, 40 not" in out


def test_show_takes_a_system_prompt_and_a_length(
    chats: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, "show", chats, f"model={model}", "system=be kind", "max_length=9")
    assert out.count("\n<system>b\n") == 2


def test_show_without_a_model_or_with_a_misspelt_setting_says_what_is_meant(
    chats: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = run(capsys, "show", chats)
    assert status == 2
    assert err.splitlines()[-1] == "  → Add e.g. model=smollm2-135m."
    status, _, err = run(capsys, "show", chats, "modle=x")
    assert status == 2
    assert "Did you mean model?" in err
    status, _, err = run(capsys, "show", chats, "--model", "x")
    assert status == 2
    assert "model=" in err


def test_check_counts_rows_turns_and_tokens(
    chats: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A turn is <user> (6), q1 (2), </s> (1), <assistant> (11), a1 (2), </s> (1): 23 tokens."""
    status, out, _ = run(capsys, "check", chats, f"model={model}", "max_length=40")
    assert status == 0
    assert out.splitlines() == [
        f"{chats}: 2 rows, messages (OpenAI)",
        "2 conversations",
        "turns: 4 user, 4 assistant",
        "1 repeat an earlier one word for word",
        "2 examples, 80 tokens, 6 of them trained (8 %)",
        "length in tokens: 46 to 46, median 46, 95 % up to 46",
        "prefixes computed once in a tree: 6 tokens less (8 %)",
        "cut at 40 tokens: 2 examples of 2 (100%)",
        "warning: training refuses to cut more than 80% (max_cut)",
        "every row can be used",
    ]


def test_check_says_the_share_that_is_cut_as_training_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three of four fit; with training's own limit its message has the same words."""
    short, long = ({"messages": [{"role": "user", "content": q}, {"role": "assistant",
                   "content": "yes"}]} for q in ("q", "q" * 90))  # fmt: skip
    model = write_model(tmp_path / "model")
    file = write(tmp_path / "x.jsonl", [short, short, short, long])
    said = "cut at 40 tokens: 1 example of 4 (25%)"
    out = run(capsys, "check", file, f"model={model}", "max_length=40")[1]
    assert said in out.splitlines()
    assert "training refuses" not in out
    assert main(["train", "sft", f"model={model}", f"data={file}", "max_length=40", "device=cpu",
                 "--dry-run"]) == 0  # fmt: skip
    assert said in "".join(capsys.readouterr())


def test_check_lists_all_rows_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "x.jsonl", [TALK, "{", {"messages": []}])
    status, out, err = run(capsys, "check", file)
    assert status == 1
    assert f"{file}:2: not valid JSON" in out
    assert f"{file}:3: 'messages' is empty" in out
    assert "2 of 3 rows cannot be used" in err
    assert "--skip-broken" in err.splitlines()[-1]


def test_check_renders_every_row_where_a_model_is_named(
    tmp_path: Path, chats: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    template = tmp_path / "strict.jinja"
    template.write_text("{{ raise_exception('no thanks') }}")
    status, out, err = run(capsys, "check", chats, f"model={model}", f"template={template}")
    assert status == 1
    assert out.count("no thanks") == 2
    assert "2 of 2 rows cannot be used" in err
    assert "--skip-broken" not in err


def test_convert_writes_messages_and_never_over_a_file_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "in.jsonl", [{"instruction": "q", "output": "a"}, "{"])
    out = tmp_path / "out.jsonl"
    assert run(capsys, "convert", file, out)[0] == 1
    assert not out.exists()
    status, said, _ = run(capsys, "convert", file, out, "--skip-broken")
    assert status == 0
    assert f"{out}: 1 row from 1 of alpaca" in said
    assert f"1 row left out, the first: {file}:2: not valid JSON" in said
    row = json.loads(out.read_text())
    assert [turn["content"] for turn in row["messages"]] == ["q", "a"]
    status, _, err = run(capsys, "convert", file, out, "--skip-broken")
    assert status == 2
    assert "is there already" in err
    assert run(capsys, "convert", file, out, "--skip-broken", "--force")[0] == 0


def test_convert_can_make_one_conversation_per_answer(
    tmp_path: Path, chats: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    status, said, _ = run(capsys, "convert", chats, out, "--single-turns")
    assert status == 0
    assert "4 rows from 2" in said
    assert [len(json.loads(line)["messages"]) for line in out.read_text().splitlines()] == [
        2,
        4,
    ] * 2
