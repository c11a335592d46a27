"""Converting to messages, and the summary of a data set."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from luciola.conversation.turns import single_turns
from luciola.data.convert import to_messages, write_messages
from luciola.data.readers import read
from luciola.data.summary import summary
from luciola.errors import ConfigError, DataError, StorageError
from luciola.runs.outputs import check_output
from luciola.types import Completion, Conversation, Message, Origin, Text

TALK = (
    Message("system", "s"),
    Message("user", "ä"),
    Message("assistant", "a", trained=False),
    Message("user", "q"),
    Message("assistant", "b"),
    Message("user", "r"),
    Message("assistant", "c"),
)


def test_what_is_written_is_read_back_the_same(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert write_messages([Conversation(TALK), Conversation(TALK[3:5])], out) == 2
    found = read(str(out))
    assert [
        example.messages for example in found.examples if isinstance(example, Conversation)
    ] == [
        TALK,
        TALK[3:5],
    ]
    assert "ä" in out.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [out]


def test_a_completion_becomes_a_question_and_an_answer() -> None:
    row = to_messages(Completion("q", "a"))
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]


def test_a_row_that_cannot_become_messages_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    with pytest.raises(DataError, match=r"a\.txt:4: plain text has no turns"):
        write_messages(
            [Conversation(TALK), Text("t", Origin("a.txt", 4))], check_output(out, overwrite=True)
        )
    with pytest.raises(ConfigError, match="is there already"):
        write_messages([Conversation(TALK)], out)
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_does_not_exist_is_made(tmp_path: Path) -> None:
    assert write_messages([Conversation(TALK)], tmp_path / "none" / "out.jsonl") == 1
    assert (tmp_path / "none" / "out.jsonl").is_file()


def test_a_read_only_disk_is_named_though_nothing_can_be_removed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "open", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(StorageError, match=r"out\.jsonl cannot be written: Read-only file"):
        write_messages([Conversation(TALK)], tmp_path / "out.jsonl")


def test_single_turns_train_each_answer_once_after_its_history() -> None:
    first, second = single_turns(Conversation(TALK, Origin("f", 2)))
    assert [m.content for m in first.messages] == ["s", "ä", "a", "q", "b"]
    assert [m.content for m in second.messages] == [m.content for m in TALK]
    for part in (first, second):
        assert [m.trained for m in part.messages[:-1]] == [False] * (len(part.messages) - 1)
        assert part.messages[-1].trained is None
        assert part.origin == Origin("f", 2)


def test_a_summary_counts_kinds_turns_and_repeats() -> None:
    talk = Conversation(TALK[3:5], Origin("f", 1))
    again = Conversation(TALK[3:5], Origin("f", 2))
    assert summary([talk, again, Text("t")]).splitlines() == [
        "2 conversations, 1 text",
        "turns: 2 user, 2 assistant",
        "1 repeat an earlier one word for word",
    ]
