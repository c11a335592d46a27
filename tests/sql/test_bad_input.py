"""Odd databases, lists and predictions: prompts are made where they can be, else one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from luciola.cli.errors import Ended
from luciola.cli.sql import app
from luciola.errors import DatabaseError, DataError, LuciolaError
from luciola.sql.dail.tables import read_tables
from luciola.sql.database.sandbox import Sandbox
from luciola.sql.official.schema import equal_columns
from luciola.sql.official.schema import read_tables as official_tables
from small_datasets import ASKED, ENTRY, database, write

ODD_NAMES = """
CREATE TABLE "my table" ("a ""b"" c" int, "order" text, "城市" text, "x, y (z)" int, "it's" text,
    "{b}" int, "a]b" text, `c``d` text, "" int);
INSERT INTO "my table" VALUES (1, 'a', '北京', 2, 'q', 3, 'r', 't', 4);
CREATE TABLE "选择" ("select" int REFERENCES "my table" ("a ""b"" c"));
CREATE TABLE "a""b" (x int)"""
CYCLE = """
CREATE TABLE a (id int PRIMARY KEY, b int REFERENCES b (id));
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a (id), parent int REFERENCES b);
INSERT INTO a VALUES (1, 1)"""
WIDE = "CREATE TABLE wide (" + ", ".join(f"c{i} text" for i in range(1000)) + ")"
WIDE += "; INSERT INTO wide (c0) VALUES ('Lyon')"
BROKEN_TEXT = "CREATE TABLE t (a text); INSERT INTO t VALUES (CAST(x'ff41' AS TEXT)), ('Lyon')"
NO_SUCH_TABLE = "CREATE TABLE t (a int REFERENCES gone (x)); INSERT INTO t VALUES (1)"
SEARCH = "CREATE VIRTUAL TABLE t USING fts5(a); INSERT INTO t VALUES ('Lyon');"
SEARCH += "CREATE VIEW v AS SELECT x FROM nowhere"
ODD = {
    "names": (ODD_NAMES, 'SELECT "order" FROM "my table"', "x, y (z)"),
    "cycle": (CYCLE, "SELECT id FROM a", "b.parent=b."),
    "wide": (WIDE, "SELECT c0 FROM wide", "c999"),
    "text": (BROKEN_TEXT, "SELECT a FROM t", "t: a"),
    "gone": (NO_SUCH_TABLE, "SELECT a FROM t", "t.a=gone.x"),
    "search": (SEARCH, "SELECT a FROM t", "t: a"),
}
REPRESENTATIONS = ("CR_P", "BASELINE", "TEXTWFK", "NUMBERSIGNWFK", "INSTRUCTIONWFK", "CBR", "HOUSE")
QUESTION = "Which 城市 {x} of (1, 2) is in \"Lyon\" and isn't 'big'?"


class Place:
    """A folder with one database, one question about it, and the commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "database" / "odd" / "odd.sqlite"
        self.file.parent.mkdir(parents=True)

    def ask(self, query: str) -> None:
        row = {"db_id": "odd", "question": QUESTION, "query": query}
        write(self.folder / "dev.json", [row])
        write(self.folder / "pool.json", [{**row, "question": "How many?"}])
        (self.folder / "gold.sql").write_text(f"{query}\todd\n", encoding="utf-8")

    def run(self, verb: str, *arguments: str) -> str:
        """The command's output. Raises: what the command raises."""
        result = CliRunner().invoke(app, [verb, *arguments])
        if result.exception is not None and not isinstance(result.exception, Ended):
            raise result.exception
        return result.output

    def prompt(self, *options: str) -> str:
        out = self.folder / "prompts.jsonl"
        files = ("--questions", str(self.folder / "dev.json"), "--out", str(out))
        self.run("prompts", *files, *options)
        return str(json.loads(out.read_text(encoding="utf-8"))["prompt"])

    def eval(self, predicted: str, *options: str) -> dict[str, Any]:
        """The report's only example."""
        answers, out = self.folder / "answers.sql", self.folder / "report.json"
        answers.write_text(predicted, encoding="utf-8")
        files = ("--gold", str(self.folder / "gold.sql"), "--predictions", str(answers))
        places = ("--databases", str(self.folder / "database"), "--json", str(out))
        self.run("eval", *files, *places, *(options or ("--metrics", "ex,ts")))
        (example,) = json.loads(out.read_text(encoding="utf-8"))["examples"]
        return dict(example)

    def check(self) -> str:
        return self.run("check", str(self.folder / "dev.json"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest, place: Place) -> tuple[Place, str, str]:
    script, query, shown = ODD[request.param]
    database(place.file, script)
    place.ask(query)
    return place, query, shown


def test_prompts_of_odd_databases_show_their_names_as_they_are(odd: tuple[Place, str, str]) -> None:
    place, query, shown = odd
    prompts = [place.prompt("--representation", name) for name in REPRESENTATIONS]
    assert all(QUESTION in prompt for prompt in prompts)
    assert shown in "".join(prompts)
    pool = ("--pool", str(place.folder / "pool.json"), "--shots", "1", "--organization", "FI_O")
    assert f"How many?\n{query}\n\n" in place.prompt("--representation", "TR_P", *pool)


def test_gold_of_odd_databases_is_right_and_an_empty_answer_wrong(
    odd: tuple[Place, str, str],
) -> None:
    place, query, _ = odd
    assert place.eval(f"{query}\n")["ex"] == 1
    nothing = place.eval("\n")
    assert (nothing["ex"], nothing["ts"]) == (0, 0)
    assert "the prediction is empty" in nothing["error"]


def test_odd_databases_are_checked(odd: tuple[Place, str, str]) -> None:
    assert "1 question, 1 database" in odd[0].check()
    assert "broken  " not in odd[0].check()


def no_tables(file: Path) -> None:
    database(file, "CREATE TABLE t (a int); DROP TABLE t")


def cut_off(file: Path) -> None:
    database(file, "CREATE TABLE t (a int)")
    file.write_bytes(file.read_bytes()[:900])


UNREADABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda file: file.write_bytes(b""), "has no tables"),
    "no tables": (no_tables, "has no tables"),
    "cut off": (cut_off, "malformed"),
    "csv": (lambda file: file.write_text("a,b\n1,2\n"), "is not a SQLite database"),
    "folder": (lambda file: file.mkdir(), "no database 'odd'"),
    "missing": (lambda file: file.parent.rmdir(), "no database 'odd'"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_databases_that_cannot_be_read_end_in_a_sentence_that_names_them(
    place: Place, kind: str
) -> None:
    make, said = UNREADABLE[kind]
    make(place.file)
    place.ask("SELECT a FROM t")
    databases = ("--databases", str(place.folder / "database"))
    with pytest.raises(DatabaseError, match=said):
        place.prompt(*databases)
    try:
        assert "not judged" in place.eval("SELECT 1\n")["error"]
    except LuciolaError as error:
        assert "odd" in error.message
    checked = place.run("check", str(place.folder / "dev.json"), *databases)
    assert "broken        1  databases that" in checked
    assert "odd: " in checked


def test_a_folder_of_databases_may_be_named_from_where_one_stands(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    database(place.file, BROKEN_TEXT)
    place.ask("SELECT a FROM t")
    monkeypatch.chdir(place.folder)
    here = Place.__new__(Place)
    here.folder = Path()
    assert here.eval("SELECT a FROM t\n")["ex"] == 1
    assert "1 database" in here.check()
    with Sandbox(Path("database", "odd", "odd.sqlite")) as sandbox:
        assert sandbox.run("SELECT count(*) FROM t").rows == ((2,),)


FAULTS = [
    ({"column_names_original": None}, "has no list 'column_names_original'"),
    ({"table_names_original": []}, "has [0, 'id'] in 'column_names_original'"),
    ({"foreign_keys": [[1]]}, "has [1] in 'foreign_keys'"),
    ({"foreign_keys": [[1, 7]]}, "has [1, 7] in 'foreign_keys'"),
]


@pytest.mark.parametrize(("changes", "said"), FAULTS)
def test_an_entry_that_lacks_something_stops_exact_match_with_its_name(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    entries = official_tables(write(tmp_path / "tables.json", [{**ENTRY, **changes}]))
    with pytest.raises(DataError) as caught:
        equal_columns(entries["shop"])
    assert caught.value.message == f"the entry 'shop' of tables.json {said}"


def test_prompts_take_names_from_the_database_where_its_entry_lacks_something(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [{**ENTRY, "column_names": None}, {**ENTRY, "db_id": "bar"}]
    tables = write(tmp_path / "tables.json", entries)
    assert list(read_tables(tables)) == ["bar"]
    assert "the entry 'shop' has no list 'column_names'" in caplog.text
    file = tmp_path / "database" / "shop" / "shop.sqlite"
    database(file)
    write(tmp_path / "dev.json", [ASKED])
    out = tmp_path / "prompts.jsonl"
    files = ["--questions", str(tmp_path), "--pool", str(tmp_path), "--out", str(out)]
    assert (
        CliRunner().invoke(app, ["prompts", *files, "--shots", "1", "--allow-self"]).exit_code == 0
    )
    assert "SELECT city FROM shop" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("answers", "said"),
    [("a\nb\n", "has 2 predictions for 1 lines"), ("", "has 0 predictions for 1 lines")],
)
def test_another_number_of_predictions_is_refused(place: Place, answers: str, said: str) -> None:
    database(place.file, BROKEN_TEXT)
    place.ask("SELECT a FROM t")
    with pytest.raises(DataError, match=said):
        place.eval(answers)


def test_a_gold_query_that_fails_is_left_out_and_named(place: Place) -> None:
    database(place.file, BROKEN_TEXT)
    place.ask("SELECT b FROM t")
    found = place.eval("SELECT a FROM t\n")
    assert found["ex"] is None
    assert "gold fails on odd.sqlite: the database does not accept" in found["error"]
    assert "no such column: b" in place.check()
