"""A length limit that cuts most of the data is refused in one sentence, for every method."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.data.cutting import check_cut, cut_text
from luciola.errors import DataError
from support import write_model, write_shop

LONG = "a long answer that goes on and on and on and on and on"


def test_the_share_is_always_said() -> None:
    said = cut_text(24, 25, "example", left_out=False, limit=64)
    assert said == "cut at 64 tokens: 24 examples of 25 (96%)"
    assert cut_text(1, 3, "prompt", left_out=True, limit=9) == (
        "left out, longer than 9 tokens: 1 prompt of 3 (33%)"
    )


@pytest.mark.parametrize(
    ("cut", "most", "refused"), [(5, 0.5, False), (6, 0.5, True), (10, 1, False)]
)
def test_exactly_the_share_is_still_taken(cut: int, most: float, refused: bool) -> None:
    settings = {"what": "example", "limit": 64, "needed": 90}
    if not refused:
        check_cut(cut, 10, most, **settings)  # type: ignore[arg-type]
        return
    with pytest.raises(DataError, match=r"6 examples of 10 \(60%\), and max_cut is 0\.5; the"):
        check_cut(cut, 10, most, **settings)  # type: ignore[arg-type]


def rows(method: str) -> list[dict[str, object]]:
    if method == "sft":
        return [
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": LONG}]}
        ] * 24 + [
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
        ]
    if method in ("dpo", "reward"):
        return [{"prompt": "q", "chosen": LONG, "rejected": LONG + "!"}] * 24 + [
            {"prompt": "q", "chosen": "a", "rejected": "b"}
        ]
    if method == "ppo":
        return [{"prompt": LONG}] * 24 + [{"prompt": "q"}]
    return [{"question": LONG * 4, "query": "SELECT name FROM shop"}] * 24 + [
        {"question": "q", "query": "SELECT 1 FROM shop"}
    ]


@pytest.mark.parametrize("method", ["sft", "dpo", "reward", "ppo", "sql"])
def test_what_cuts_24_of_25_is_refused_and_can_be_accepted(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "model", context=1024)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(method)))
    limit = "max_length=64" if method in ("sft", "ppo") else "max_length=40"
    if method == "sql":
        shop = write_shop(tmp_path / "shop.db")
        words, limit = ["sql", "train", str(shop), "--pairs", "rows.jsonl"], "max_length=240"
    elif method == "ppo":
        words = ["train", "ppo", "prompts=rows.jsonl", "max_new_tokens=40"]
        words += ["reward=length"]
    else:
        words = ["train", method, "data=rows.jsonl"]
    words += [f"model={model}", "device=cpu", limit, "--dry-run"]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "96%" in said
    assert "max_cut=1" in said
    assert main([*words, "max_cut=1"]) == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    assert "96%" in shown.out + shown.err
