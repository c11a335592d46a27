"""Asking names the model that was found, and says where the schema is no longer the one learned."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.specialist.expertise import changes
from support import write_model


def test_changes_are_told_by_table_and_column() -> None:
    before = {"shop": ["id", "name"], "city": ["id"]}
    assert changes(before, before) == []
    assert changes(before, {"shop": ["id", "title"], "note": ["text"]}) == [
        "column shop.name is gone",
        "column shop.title is new",
        "table city is gone",
        "table note is new",
    ]


def test_the_model_is_named_and_a_changed_schema_is_told(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "model", context=512)
    row = {"question": "How many?", "query": "SELECT count(*) FROM shop"}
    Path("pairs.jsonl").write_text(json.dumps(row) + "\n")
    train = ["sql", "train", str(shop), "--pairs", "pairs.jsonl", f"model={model}", "device=cpu"]
    assert main([*train, "max_steps=1", "precision=fp32", "out=runs/one"]) == 0
    ask = ["sql", "ask", str(shop), "How many?", "--device", "cpu"]
    capsys.readouterr()
    main(ask)
    said = capsys.readouterr().err
    assert f"model runs/one/model, the newest trained on {shop}" in said
    assert "the schema has changed" not in said
    with closing(sqlite3.connect(shop)) as connection:
        connection.execute("ALTER TABLE shop RENAME COLUMN name TO title")
    main(ask)
    told = "the schema has changed since this model was trained: column shop.name is gone, column"
    assert told in capsys.readouterr().err
    main([*ask, "--model", "runs/one/model"])
    said = capsys.readouterr().err
    assert "the newest" not in said
    assert told in said
