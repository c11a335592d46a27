"""Files, folders and hub data sets: how rows are found, and what is said where they are not."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from luciola.data.readers import read, scan
from luciola.data.readers.source import rows_of_file
from luciola.errors import DataError, MissingExtraError
from luciola.types import Completion, Conversation, Message, Text

Write = Callable[..., str]
ROW = {"text": "fine"}


def lines_of(path: str) -> list[int]:
    return [example.origin.line for example in read(path).examples]


def test_lines_are_numbered_as_an_editor_does(jsonl: Write) -> None:
    assert lines_of(jsonl(ROW, "", "  ", ROW)) == [1, 4]


def test_an_arrays_rows_have_the_lines_on_which_they_begin(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    file.write_text('[\n  {"text": "a\\nb"},\n  {\n    "text": "b"\n  }, {"text": "c"}\n]\n')
    assert lines_of(str(file)) == [2, 3, 5]


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_lines_and_arrays_are_told_apart_by_what_they_hold(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text('{"text": "a"}\n{"text": "b"}\n')
    assert len(read(str(file))) == 2
    file.write_text('\ufeff [{"text": "a"}, {"text": "b"}]')
    assert len(read(str(file))) == 2


def test_gzipped_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(gzip.compress(json.dumps(ROW).encode()))
    assert len(read(str(file))) == 1
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"rows\.jsonl\.gz: the gzip file is broken"):
        read(str(file))


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ('{"text": "a"', r"not valid JSON: .* at character 13, near .*a\"', which is the end"),
        ('{"text": "a",}', "not valid JSON"),
        ("{'text': 'a'}", r"at character 2, near \"\{'text': 'a'\}\""),
        ('["text"]', "a row must be an object, got a list"),
        ('"text"', "a row must be an object, got a text"),
        ('{"text": ' + "[" * 100_000, "cannot be read"),
        ('{"text": "a", "n": ' + "9" * 5000 + "}", "cannot be read"),
    ],
)
def test_a_malformed_line_is_named(jsonl: Write, broken: str, said: str) -> None:
    path = jsonl(ROW, broken, ROW)
    with pytest.raises(DataError, match=said) as error:
        read(path)
    assert error.value.line == 2


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('[\n{"text": "a"},\n{"text": }\n]', 3, "not valid JSON"),
        ('[\n{"text": "a"}\n{"text": "b"}\n]', 3, r"Expecting ',' or '\]'"),
        ('[\n{"text": "a"},\n"b"]', 3, "a row must be an object"),
        ('[\n{"text": "a"}\n]\n[{"text": "b"}]', 4, "More after the array"),
        ('[\n{"text": "a"},\n', 3, "not valid JSON"),
    ],
)
def test_a_malformed_array_is_named_by_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    file = tmp_path / "rows.json"
    file.write_text(text)
    with pytest.raises(DataError, match=said) as error:
        read(str(file))
    assert error.value.line == line


def test_bytes_that_are_no_text_are_named_by_their_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"text": "a"}\n{"text": "caf\xe9"}\n')
    with pytest.raises(DataError, match="the byte 0xe9 is no UTF-8 text") as error:
        read(str(file))
    assert error.value.line == 2
    table = tmp_path / "rows.csv"
    table.write_bytes(b"text\nfine\ncaf\xe9\n")
    with pytest.raises(DataError, match="the byte 0xe9") as error:
        read(str(table))
    assert error.value.line == 3


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("")
    with pytest.raises(DataError, match="the data set is empty"):
        read(str(file))
    file.write_text("[]" if name == "rows.json" else "\n")
    with pytest.raises(DataError, match=r"the data set is empty|must name every column"):
        read(str(file))


def test_a_missing_file_is_answered_with_the_name_that_was_meant(jsonl: Write) -> None:
    path = jsonl(ROW, name="chats.jsonl")
    with pytest.raises(DataError, match="no such file or folder") as error:
        read(path.replace("chats", "chat"))
    assert error.value.remedy == f"Did you mean {path}?"
    with pytest.raises(DataError, match="its folder nowhere does not exist") as error:
        read("nowhere/chats")
    assert "hub:nowhere/chats" in str(error.value.remedy)


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.xlsx"
    file.write_text("x")
    with pytest.raises(DataError, match="kind of file is not known") as error:
        read(str(file))
    assert ".jsonl" in str(error.value.remedy)


def test_csv_rows_keep_line_breaks_quotes_and_line_numbers(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('prompt,completion\n"two\nlines","say ""hi"""\n\n"b, c",d\n')
    first, second = read(str(file)).examples
    assert isinstance(first, Completion)
    assert (first.prompt, first.completion, first.origin.line) == ("two\nlines", 'say "hi"', 2)
    assert isinstance(second, Completion)
    assert (second.prompt, second.origin.line) == ("b, c", 5)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_seen_in_the_first_line(tmp_path: Path, separator: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"prompt{separator}completion\na, b{separator}c\n")
    (example,) = read(str(file)).examples
    assert isinstance(example, Completion)
    assert example.prompt == "a, b"


def test_messages_stand_in_csv_as_json(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(
        'messages\n"[{""role"": ""user"", ""content"": ""q""}, '
        '{""role"": ""assistant"", ""content"": ""a""}]"\n'
    )
    (example,) = read(str(file)).examples
    assert isinstance(example, Conversation)
    assert example.messages == (Message("user", "q"), Message("assistant", "a"))


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("text,label\na,b\nonly\n", 3, "has 1 cells and the first line names 2 columns"),
        ('text\na\n"open\n', 3, "not valid CSV"),
        ("text,text\na,b\n", 1, "must name every column once"),
        ('messages\n"[1"\n', 2, "a cell is not valid JSON"),
    ],
)
def test_a_broken_table_is_named_by_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=said) as error:
        read(str(file))
    assert error.value.line == line


def test_parquet_rows_are_read_without_their_nulls(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "rows.parquet"
    rows = [
        {"instruction": "q", "input": None, "output": "a", "history": [["x", "y"]]},
        {"instruction": "q", "input": "i", "output": "a", "history": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    first, second = read(str(file)).examples
    assert isinstance(first, Conversation)
    assert [m.content for m in first.messages] == ["x", "y", "q", "a"]
    assert isinstance(second, Conversation)
    assert [m.content for m in second.messages] == ["q\ni", "a"]
    assert second.origin.line == 2


def test_what_is_no_parquet_file_is_said(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = tmp_path / "rows.parquet"
    file.write_text("PAR0")
    with pytest.raises(DataError, match=r"rows\.parquet: not a readable Parquet file"):
        read(str(file))


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "rows.parquet").write_text("x")
    with pytest.raises(MissingExtraError, match=r"luciola\[parquet\]"):
        read(str(tmp_path / "rows.parquet"))


def test_a_folder_is_all_its_files_in_order(jsonl: Write, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".cache").mkdir()
    jsonl({"text": "two"}, name="b/rows.jsonl")
    jsonl({"text": "one"}, name="a.jsonl")
    jsonl({"text": "hidden"}, name=".cache/rows.jsonl")
    jsonl({"prompt": "q", "completion": "a"}, name="c.json")
    (tmp_path / "README.md").write_text("not data")
    dataset = read(str(tmp_path))
    texts = [example.text for example in dataset.examples if isinstance(example, Text)]
    assert texts == ["one", "two"]
    assert dataset.format == "plain text (2 files), prompt/completion (TRL) (1 file)"


def test_a_folder_without_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folder has no data file"):
        read(str(tmp_path))


def test_scanning_lists_every_row_that_cannot_be_used(jsonl: Write) -> None:
    dataset = scan(jsonl(ROW, "{", {"text": ""}, ROW))
    assert len(dataset) == 2
    assert [error.line for error in dataset.skipped] == [2, 3]
    with pytest.raises(DataError, match="preferences"):
        scan(jsonl({"chosen": "a", "rejected": "b"}))


def fake_datasets(rows: list[dict[str, Any]]) -> ModuleType:
    """Stands in for the package, whose data sets are not to be had here."""
    module = ModuleType("datasets")

    def load_dataset(name: str, split: str) -> list[dict[str, Any]]:
        if name != "someone/chats":
            raise ConnectionError("no network\nand more")
        return [{**row, "text": f"{row['text']} {split}"} for row in rows]

    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    return module


def test_hub_data_sets_are_read_by_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", fake_datasets([ROW]))
    for source, text in (
        ("hub:someone/chats", "fine train"),
        ("hub:someone/chats:dev", "fine dev"),
    ):
        (example,) = read(source).examples
        assert isinstance(example, Text)
        assert (example.text, str(example.origin)) == (text, f"{source}:1")
    with pytest.raises(DataError, match=r"hub:other: the data set cannot be had: no network\n"):
        read("hub:other")
    with pytest.raises(DataError, match="names no data set"):
        read("hub:")


def test_without_datasets_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"luciola\[hub\]"):
        read("hub:someone/chats")


def test_rows_of_other_kinds_are_given_as_they_stand(jsonl: Write, tmp_path: Path) -> None:
    path = jsonl({"question": "q", "query": "s"}, "", {"question": None}, "{")
    rows = rows_of_file(path)
    first, second = next(rows), next(rows)
    assert (first.values, first.origin.line) == ({"question": "q", "query": "s"}, 1)
    assert (second.values, second.origin.line) == ({}, 3)
    with pytest.raises(DataError, match=r"rows\.jsonl:4: not valid JSON"):
        next(rows)
    with pytest.raises(DataError, match="no such file"):
        next(rows_of_file(str(tmp_path / "none.jsonl")))


def test_a_folder_where_a_file_is_wanted_is_called_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, and a file is wanted"):
        next(rows_of_file(str(tmp_path)))
