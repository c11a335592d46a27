"""Asking names the model that was found, and says where the schema is no longer the one learned."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.specialist.expertise import Expertise, changes, columns_of
from luciola.sql.schema import read_schema
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


def test_a_moved_database_and_another_one_are_told_apart(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that was moved has its model; one with other tables is told to be another."""
    model = write_model(tmp_path / "model", context=512)
    Expertise(str(shop), schema=columns_of(read_schema(shop))).save(model)
    moved = shop.rename(tmp_path / "moved.db")
    (tmp_path / "runs" / "one").mkdir(parents=True)
    model.rename(tmp_path / "runs" / "one" / "model")
    assert main(["sql", "ask", str(moved), "How many?"]) == 2
    said = capsys.readouterr().err
    assert f"runs/one/model was trained on {shop}, which is gone; if it has moved, add" in said
    ask = ["sql", "ask", str(moved), "How many?", "--device", "cpu", "--model", "runs/one/model"]
    main(ask)
    assert "trained" not in capsys.readouterr().err
    with closing(sqlite3.connect(moved)) as connection:
        connection.execute("DROP TABLE city")
    main(ask)
    said = capsys.readouterr().err
    assert f"this model was trained on {shop}, whose schema is another: table city is gone" in said


def test_an_input_without_a_question_is_told_and_one_that_is_too_long_has_its_reason(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(tmp_path / "model", context=512)
    ask = ["sql", "ask", str(shop), "--device", "cpu", "--model", str(model)]
    monkeypatch.setattr("sys.stdin", StringIO("\n  \n"))
    assert main(ask) == 2
    assert "the input holds no question" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", StringIO("Wie viele?\n" + "很多 " * 10_000 + "\n"))
    assert main(ask) == 0
    assert "error: the question is too long" in capsys.readouterr().out


def test_flags_of_the_other_form_of_eval_are_refused(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They were passed over, as if exact match had been judged."""
    given = ["sql", "eval", str(shop), "--pairs", "p.jsonl", "--predictions", "q.sql"]
    assert main([*given, "--metrics", "em", "--official"]) == 2
    assert "does not take --official, --metrics" in capsys.readouterr().err
