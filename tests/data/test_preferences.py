"""Comparisons of answers in every shape that they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luciola.data.comparison import common_text
from luciola.data.preferences import read_preferences
from luciola.errors import DataError
from luciola.types import Message, Preference
from reference_values import BESIDE

ASK, SYSTEM = Message("user", "Hello"), Message("system", "Sys")


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


HISTORY = [turn("system", "Sys"), turn("user", "Hello")]
GOOD, BAD = turn("assistant", "Good"), turn("assistant", "Bad one")


@pytest.fixture
def read_one(jsonl: Callable[..., str]) -> Callable[[dict[str, Any]], Preference]:
    """The only row of a file, as read."""

    def read(row: dict[str, Any]) -> Preference:
        (found,) = read_preferences(jsonl(row)).preferences
        return found

    return read


CHAT = [
    {"prompt": "q", "chosen": [*HISTORY, GOOD], "rejected": [*HISTORY, BAD]},  # Firefly
    {"chosen": [*HISTORY, GOOD], "rejected": [*HISTORY, BAD]},
    {"prompt": HISTORY, "chosen": [GOOD], "rejected": [BAD]},
    {"prompt": HISTORY, "chosen": [*HISTORY, GOOD], "rejected": [*HISTORY, BAD]},
    {"prompt": HISTORY, "chosen": "Good", "rejected": "Bad one"},
    {"prompt": HISTORY[1:], "system": "Sys", "chosen": GOOD, "rejected": BAD},
    {"prompt": "Hello", "chosen": [HISTORY[0], GOOD], "rejected": [HISTORY[0], BAD]},
    {"instruction": "Hello", "system": "Sys", "output": ["Good", "Bad one"]},
    {"instruction": "Hello", "input": "", "system": "Sys", "chosen": "Good", "rejected": "Bad one"},
    {
        "conversations": [{"from": "human", "value": "Hello"}],
        "system": "Sys",
        "chosen": {"from": "gpt", "value": "Good"},
        "rejected": {"from": "gpt", "value": "Bad one"},
    },
    {"input": {"messages": HISTORY}, "preferred_output": [GOOD], "non_preferred_output": [BAD]},
]


@pytest.mark.parametrize("row", CHAT, ids=range(len(CHAT)))
def test_every_shape_of_a_chat_is_the_same_preference(row: dict[str, Any], read_one: Any) -> None:
    found = read_one(row)
    assert found.prompt == (SYSTEM, ASK)
    assert found.answers == ("Good", "Bad one")
    assert found.margin is None
    assert found.origin.line == 1


def test_turns_of_an_earlier_answer_belong_to_the_prompt(read_one: Any) -> None:
    history = [turn("user", "a"), turn("assistant", "b"), turn("user", "c")]
    found = read_one({"chosen": [*history, GOOD], "rejected": [*history, BAD]})
    assert [m.content for m in found.prompt] == ["a", "b", "c"]


def test_texts_keep_their_prompt_as_text(read_one: Any) -> None:
    found = read_one({"prompt": "2+2=", "chosen": "4", "rejected": "5", "margin": 1.5})
    assert (found.prompt, found.answers, found.margin) == ("2+2=", ("4", "5"), 1.5)


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt"),
    [
        ("The sky is blue.", "The sky is green.", "The sky is"),
        ("Ask: a\n\nSay: it is", "Ask: a\n\nSay: items", "Ask: a\n\nSay:"),  # not inside a word
        ("yes", "no", ""),
        ("It is so", "It is so indeed", "It is"),  # both keep an answer
        ("a  b", "a  c", "a"),  # the whole gap goes with the answer
    ],
)
def test_what_two_texts_begin_with_is_the_prompt(
    chosen: str, rejected: str, prompt: str, read_one: Any
) -> None:
    found = read_one({"chosen": chosen, "rejected": rejected})
    assert found.prompt == prompt
    assert tuple(prompt + answer for answer in found.answers) == (chosen, rejected)
    assert all(answer.strip() for answer in found.answers)
    assert common_text(chosen, rejected) == common_text(rejected, chosen)


def test_a_ranked_list_keeps_its_order_and_loses_repeats(read_one: Any) -> None:
    found = read_one({"instruction": "a", "output": ["best", "good", "best", "worst"]})
    assert found.answers == ("best", "good", "worst")


def test_rows_of_equal_answers_are_left_out_and_counted(jsonl: Any) -> None:
    rows = [{"prompt": "a", "chosen": "b", "rejected": x} for x in ("b", "c")]
    found = read_preferences(jsonl(*rows))
    assert (len(found), found.ties) == (1, 1)
    assert "left out 1 whose answers are all the same" in found.text()
    with pytest.raises(DataError, match="all 1 rows compare equal answers"):
        read_preferences(jsonl(rows[0]))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"messages": [GOOD]}, "compares no answers"),
        ({"instruction": "a", "output": ["only"]}, "two answers or more, got 1"),
        ({"prompt": "a", "chosen": "b", "rejected": 5}, "'rejected' must be a text or one turn"),
        ({"prompt": "a", "chosen": "b", "rejected": " "}, "'rejected' is empty"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "margin": "x"}, "'margin' must be"),
        ({"chosen": [*HISTORY, GOOD, *HISTORY, GOOD], "rejected": [*HISTORY, BAD]}, "6 turns"),
        ({"chosen": HISTORY, "rejected": [HISTORY[0], turn("user", "x")]}, "ends with a turn of"),
        ({"chosen": [GOOD], "rejected": [BAD]}, "'prompt' must be a text, got nothing"),
        ({"input": {}, "preferred_output": [GOOD]}, "'input' must be an object with 'messages'"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(row: dict[str, Any], sentence: str, jsonl: Any) -> None:
    path = jsonl({"prompt": "a", "chosen": "b", "rejected": "c"}, row)
    with pytest.raises(DataError, match=sentence) as error:
        read_preferences(path)
    assert str(error.value).startswith(f"{path}:2: ")


def test_a_row_of_another_shape_departs(jsonl: Any) -> None:
    path = jsonl({"chosen": "a b", "rejected": "a c"}, {"instruction": "a", "output": ["b", "c"]})
    with pytest.raises(DataError, match=r":2: the row departs from the file's format, pair"):
        read_preferences(path)


def test_a_folder_is_read_whole(jsonl: Any, tmp_path: Path) -> None:
    jsonl({"chosen": "a b", "rejected": "a c"}, name="one.jsonl")
    jsonl({"instruction": "a", "output": ["b", "c"]}, name="two.jsonl")
    found = read_preferences(str(tmp_path))
    assert len(found) == 2
    assert found.format == "pair, ranked list (preferences)"


REAL = {"dpo_en_demo.json": (300, 0, 2), "oasst1_rm_zh.json": (772, 3, 10)}
"""Pairs, ties and the longest list of two published files, read where they lie beside."""


def test_whole_files_of_both_public_layouts_are_read(tmp_path: Path) -> None:
    """40 pairs of turns; 30 ranked lists of 2 to 5 answers, in the last of which all are equal."""
    pairs = [
        {"conversations": [{"from": "human", "value": f"Question {i}?"}],
         "chosen": {"from": "gpt", "value": f"good {i}"},
         "rejected": {"from": "gpt", "value": f"bad {i}"}}
        for i in range(40)
    ]  # fmt: skip
    lists = [
        {"instruction": f"问题 {i}", "input": "", "output": [f"答 {j}" for j in range(2 + i % 4)]}
        for i in range(29)
    ]
    lists.append({"instruction": "x", "input": "", "output": ["same", "same"]})
    files = {
        tmp_path / "pairs.json": (pairs, (40, 0, 2)),
        tmp_path / "lists.json": (lists, (29, 1, 5)),
    }
    for path, (rows, _) in files.items():
        path.write_text(json.dumps(rows, ensure_ascii=False, indent=2), encoding="utf-8")
    known = {path: counts for path, (_, counts) in files.items()}
    beside = {BESIDE / "data" / "preference" / name: counts for name, counts in REAL.items()}
    known |= {path: counts for path, counts in beside.items() if path.exists()}
    for path, (count, ties, longest) in known.items():
        found = read_preferences(str(path))
        assert (len(found), found.ties) == (count, ties), path
        assert max(len(p.answers) for p in found.preferences) == longest
