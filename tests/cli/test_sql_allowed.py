"""`--allow-tables` and `--allow-columns`: what a model may know of, in every command."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.specialist.asking import Specialist, Writer
from luciola.sql.database.allowed import Allowed
from support import write_model, write_shop

SECRET = "s3cret"
TRAINED = ["epochs=1", "precision=fp32", "device=cpu", "adapter=full", "max_cut=1"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = write_shop(tmp_path / "shop.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            f"CREATE TABLE payroll (id INTEGER PRIMARY KEY, pay TEXT /* {SECRET} */,"
            f" shop_id INT REFERENCES shop); INSERT INTO payroll VALUES (1, '{SECRET}', 1);"
            "CREATE TABLE visit (day TEXT, payroll_id INT REFERENCES payroll (id));"
            "CREATE VIEW open_shop AS SELECT name FROM shop;"
        )
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return written(
        tmp_path / "pairs.jsonl",
        "SELECT COUNT(*) FROM shop",
        "SELECT COUNT(*) FROM city",
        "SELECT name FROM shop WHERE city_id = 1",
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", context=1024)


def written(path: Path, *queries: str) -> Path:
    rows = [{"question": f"Which {n}?", "query": query} for n, query in enumerate(queries)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("flag", ["--allow-tables", "--tables"])
def test_inspecting_shows_no_more(
    shop: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert main(["sql", "inspect", str(shop), flag, "shop,city", "--columns", "city.name"]) == 0
    shown = capsys.readouterr().out
    assert "2 tables" in shown and "Bath" in shown
    assert "payroll" not in shown and SECRET not in shown and "visit" not in shown


@pytest.mark.parametrize("prompt", ["house", "copying", "CR_P", "CBR", "AS_P"])
def test_a_model_is_trained_asked_and_judged_on_what_is_allowed(
    shop: Path,
    pairs: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    prompt: str,
) -> None:
    """What it was trained on goes with it: nothing has to be repeated, and no more can be read."""
    only = ["--allow-tables", "shop,city,visit", "--allow-columns", "shop.name,shop.city_id"]
    start = ["sql", "train", str(shop), "--pairs", str(pairs), f"model={model}", *TRAINED]
    assert main([*start, f"prompt={prompt}", *only]) == 0
    trained = next(Path("runs").rglob("model"))
    known = json.loads((trained / "specialist.json").read_text())
    assert known["schema"] == {
        "city": ["id", "name"],
        "shop": ["name", "city_id"],
        "visit": ["day", "payroll_id"],
    }
    capsys.readouterr()
    judged = ["sql", "eval", str(shop), "--pairs", str(pairs), "--model", str(trained)]
    assert main([*judged, "--device", "cpu", "--timeout", "2"]) == 0
    assert "of 3)" in capsys.readouterr().out
    main(["sql", "ask", str(shop), "How many shops?", "--model", str(trained), "--device", "cpu"])
    assert "was trained on shop (city_id, name), city, visit" in capsys.readouterr().err
    with Specialist(Writer(trained, device="cpu"), shop) as specialist:
        seen = str(specialist.reading) + str(specialist.writer.prompt_ids(specialist.reading, "?"))
        text = specialist.writer.tokenizer.decode(
            specialist.writer.prompt_ids(specialist.reading, "What does payroll hold?")
        )
        assert "city_id" in text.replace(" ", "") and "REFERENCES payroll" not in text
        assert text.count("payroll") <= 1 + 2 * text.count("payroll_id")
        assert SECRET not in seen + text
        assert specialist.changes() == []
        assert "may not be read" in str(specialist._run("SELECT pay FROM payroll")[1])
        assert "may not be read" in str(specialist._run("SELECT id FROM shop")[1])


def test_pairs_that_read_anything_else_are_left_out_or_refused(
    shop: Path, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = written(
        tmp_path / "mixed.jsonl", "SELECT COUNT(*) FROM shop", "SELECT pay FROM payroll"
    )
    start = ["sql", "train", str(shop), "--pairs", str(mixed), f"model={model}", *TRAINED]
    assert main([*start, "allow_tables=shop"]) == 1
    said = capsys.readouterr().err
    assert "1 of 2 pairs do not run" in said and "may not be read here" in said
    assert SECRET not in said
    assert main([*start, "allow_tables=shop", "max_failing_pairs=1"]) == 0
    assert main([*start, "--fresh"]) == 0  # without a list, and what was seen then is not kept


def test_predictions_are_judged_by_what_they_may_read(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = written(tmp_path / "gold.jsonl", "SELECT 1 FROM city", "SELECT pay FROM payroll")
    answers = tmp_path / "answers.sql"
    answers.write_text(f"SELECT 1 FROM payroll, city WHERE pay = '{SECRET}'\nSELECT '{SECRET}'\n")
    judged = ["sql", "eval", str(shop), "--pairs", str(gold), "--predictions", str(answers)]
    assert main(judged) == 0
    assert "execution accuracy 100.0% (2 of 2)" in capsys.readouterr().out
    assert main([*judged, "--allow-tables", "city,shop"]) == 0
    said = capsys.readouterr().out
    assert "execution accuracy 0.0% (0 of 1)" in said and "may not be read here" in said
    assert "not judged, because gold fails or the database cannot be read: 1" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--allow-tables", "shpo"], "no table or view 'shpo'"),
        (["--allow-columns", "shop.nmae"], "shop has no column 'nmae'"),
        (["--allow-columns", "name"], "without its table"),
    ],
)
def test_names_that_are_not_there_end_every_command_in_one_sentence(
    shop: Path,
    pairs: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    said: str,
) -> None:
    for command in (
        ["inspect", str(shop)],
        ["ask", str(shop), "How many?", "--model", str(model), "--device", "cpu"],
        ["eval", str(shop), "--pairs", str(pairs), "--model", str(model), "--device", "cpu"],
        ["eval", str(shop), "--pairs", str(pairs), "--predictions", str(pairs)],
        ["train", str(shop), "--pairs", str(pairs), f"model={model}", *TRAINED],
    ):
        assert main(["sql", *command, *given]) == 2
        assert said in capsys.readouterr().err, command


def test_allowed_names_go_with_one_database(
    shop: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "database" / "shop"
    folder.mkdir(parents=True)
    (folder / "shop.sqlite").write_bytes(shop.read_bytes())
    judged = ["sql", "eval", str(folder.parent), "--pairs", str(pairs), "--predictions", str(pairs)]
    assert main([*judged, "--allow-tables", "shop"]) == 2
    assert "is a folder of databases, and allowed names belong to one" in capsys.readouterr().err
    official = ["sql", "eval", "--gold", str(pairs), "--predictions", str(pairs)]
    assert main([*official, "--databases", str(folder.parent), "--allow-columns", "a.b"]) == 2
    assert "--gold does not take --allow-columns" in capsys.readouterr().err


def test_a_create_table_text_names_nothing_hidden(shop: Path, model: Path) -> None:
    """A text stays as it was written only where it tells nothing else."""
    writer = Writer(write_specialist(model, "CR_P"), device="cpu")
    prompt = writer.read(shop, Allowed.of(["city", "shop", "visit", "open_shop"])).prompt("?")  # type: ignore[union-attr]
    assert "shop (id INTEGER PRIMARY KEY, name TEXT, city_id INTEGER REFERENCES city)" in prompt
    assert "CREATE TABLE visit (day TEXT, payroll_id INT)" in prompt
    assert "CREATE TABLE open_shop (name TEXT)" in prompt
    assert "REFERENCES payroll" not in prompt and "pay " not in prompt
    prompt = writer.read(shop, Allowed.of(["shop", "payroll"])).prompt("?")  # type: ignore[union-attr]
    assert SECRET not in prompt
    assert (
        "CREATE TABLE payroll (id INTEGER, pay TEXT, shop_id INT, PRIMARY KEY (id), "
        "FOREIGN KEY (shop_id) REFERENCES shop (id))"
    ) in prompt
    assert "CREATE TABLE shop (id INTEGER, name TEXT, city_id INTEGER, PRIMARY KEY (id))" in prompt


def write_specialist(model: Path, prompt: str) -> Path:
    (model / "specialist.json").write_text(json.dumps({"prompt": prompt}))
    return model


def test_a_duckdb_file_is_judged_the_same_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE shop (id INT, name TEXT); INSERT INTO shop VALUES (1, 'a')"
        )
        connection.execute("CREATE TABLE payroll (pay INT); INSERT INTO payroll VALUES (1)")
    gold = written(tmp_path / "gold.jsonl", "SELECT id FROM shop", "SELECT pay FROM payroll")
    answers = tmp_path / "answers.sql"
    answers.write_text("SELECT pay FROM payroll\nSELECT 1\n")
    judged = ["sql", "eval", f"duckdb:///{tmp_path}/shop.duckdb", "--pairs", str(gold)]
    judged += ["--predictions", str(answers)]
    assert main(judged) == 0
    assert "(2 of 2)" in capsys.readouterr().out
    assert main([*judged, "--allow-tables", "shop"]) == 0
    assert "(0 of 1)" in capsys.readouterr().out
