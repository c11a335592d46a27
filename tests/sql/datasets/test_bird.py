"""BIRD's dev part walked from check to figures: evidence, difficulty, names in backticks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from luciola.cli.main import main
from small_datasets import database, write

Run = Callable[..., str]
SHOP = """
    CREATE TABLE shop (id INTEGER PRIMARY KEY, city TEXT, "Free Meals (K-12)" REAL, opened DATE);
    INSERT INTO shop VALUES (1, 'Lyon', 3, '2001-01-01'), (2, 'Bern', 5, '2002-02-02');
"""
NAMES = [[-1, "*"], [0, "id"], [0, "city"], [0, "Free Meals (K-12)"], [0, "opened"]]
ENTRY = {
    "db_id": "shop",
    "table_names": ["shop"],
    "table_names_original": ["shop"],
    "column_names": NAMES,
    "column_names_original": NAMES,
    "column_types": ["text", "integer", "text", "real", "date"],
    "primary_keys": [1],
    "foreign_keys": [],
}
MOST = "SELECT MAX(`Free Meals (K-12)`) FROM shop"
SHARE = "SELECT CAST(SUM(CASE WHEN city = 'Lyon' THEN 1 ELSE 0 END) AS REAL) / COUNT(*) FROM shop"
NEW = "SELECT city FROM shop WHERE opened = '2002-02-02'"
ROWS = [
    ("Which cities?", "", "SELECT city FROM shop", "challenging"),
    ("Most meals?", "meals are `Free Meals (K-12)`", MOST, "simple"),
    ("Share in Lyon?", "share = of all rows", SHARE, "moderate"),
    ("Which is new?", "", NEW, "simple"),
]


@pytest.fixture
def bird(tmp_path: Path) -> Path:
    folder = tmp_path / "bird"
    part = folder / "dev_20240627"
    rows = [
        {"question_id": i, "db_id": "shop", "question": asked, "evidence": said, "SQL": sql,
         "difficulty": level}
        for i, (asked, said, sql, level) in enumerate(ROWS)
    ]  # fmt: skip
    write(part / "dev.json", rows)
    (part / "dev.sql").write_text("".join(f"{row['SQL']}\t{row['db_id']}\n" for row in rows))
    write(part / "dev_tables.json", [ENTRY])
    database(part / "dev_databases" / "shop" / "shop.sqlite", SHOP)
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: object) -> str:
        assert main(["sql", *map(str, words)]) == 0
        return capsys.readouterr().out

    return run


def test_nothing_is_said_of_types_that_are_the_declared_ones(bird: Path, run: Run) -> None:
    """BIRD's tables.json has SQLite's types where Spider's has five kinds."""
    said = run("check", bird)
    assert "bird: dev 4 questions, 1 database" in said
    assert "column types" not in said
    assert "nothing broken" in said


def test_prompts_hold_the_evidence_and_all_of_a_name(bird: Path, run: Run) -> None:
    run("prompts", "--questions", f"{bird}:dev", "--out", "prompts.jsonl")
    prompts = [
        json.loads(line)["prompt"] for line in Path("prompts.jsonl").read_text().splitlines()
    ]
    assert len(prompts) == 4
    assert "Answer the following: Most meals? meals are `Free Meals (K-12)` */" in prompts[1]
    assert '"Free Meals (K-12)" REAL' in prompts[1]


def test_figures_are_parted_by_the_difficulty_of_the_data_set(bird: Path, run: Run) -> None:
    """Spider's grammar does not take the third gold query; its wrong answer is told too."""
    answers = [row[2] for row in ROWS]
    answers[2:] = ["SELECT 7", "SELECT 1"]
    Path("answers.sql").write_text("".join(f"{sql}\n" for sql in answers))
    judge = ("eval", "--gold", f"{bird}:dev", "--predictions", "answers.sql", "--json", "r.json")
    lines = run(*judge, "--metrics", "ex").splitlines()
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["simple", "2", "50.0%"],
        ["moderate", "1", "0.0%"],
        ["challenging", "1", "100.0%"],
        ["all", "4", "50.0%"],
    ]
    assert "wrong by a metric: 2" in lines
    whole = json.loads(Path("r.json").read_text())
    assert whole["summary"]["by_difficulty"]["simple"] == {
        "count": 2, "em": None, "ex": 0.5, "ts": None, "valid": 1.0
    }  # fmt: skip
    assert [each["difficulty"] for each in whole["examples"]] == [row[3] for row in ROWS]


def test_exact_match_says_what_it_leaves_out(bird: Path, run: Run) -> None:
    part = bird / "dev_20240627"
    Path("answers.sql").write_text("".join(f"{row[2]}\n" for row in ROWS))
    files = ("--predictions", "answers.sql", "--databases", part / "dev_databases")
    said = run("eval", "--gold", part / "dev.json", *files, "--tables", part / "dev_tables.json")
    assert "em: 95 % interval 43.9% to 100.0%, over 3 of 4" in said
    assert "without em and hardness because gold does not parse: 1" in said
    assert "left out" not in said
    assert "ex: 95 % interval 51.0% to 100.0%\n" in said


ROWS_TWICE = "SELECT city FROM shop UNION ALL SELECT city FROM shop"
TURNED = "SELECT city, id FROM shop"


def judged(run: Run, gold: object, answers: list[str], *flags: object) -> list[float]:
    """Whether each answer is right, in order."""
    Path("answers.sql").write_text("".join(f"{sql}\n" for sql in answers))
    files = ("--gold", gold, "--predictions", "answers.sql", "--json", "verdicts.json")
    run("eval", *files, *flags, "--overwrite")
    whole = json.loads(Path("verdicts.json").read_text())
    return [each["ex"] for each in whole["examples"]]


@pytest.fixture
def pairs_of_columns(bird: Path) -> Path:
    """BIRD's dev part with gold queries whose results tell the two rules apart."""
    golds = [
        "SELECT id, city FROM shop",
        "SELECT city FROM shop",
        "SELECT id FROM shop ORDER BY id",
    ]
    rows = [
        {"question_id": i, "db_id": "shop", "question": f"{i}?", "evidence": "", "SQL": sql,
         "difficulty": "simple"}
        for i, sql in enumerate(golds)
    ]  # fmt: skip
    write(bird / "dev_20240627" / "dev.json", rows)
    (bird / "dev_20240627" / "dev.sql").unlink()
    return bird


def test_bird_compares_sets_of_rows_with_the_columns_in_their_order(
    pairs_of_columns: Path, run: Run
) -> None:
    """Turned columns are wrong, repeated rows right, and the order of rows does not count."""
    answers = [TURNED, ROWS_TWICE, "SELECT id FROM shop ORDER BY id DESC"]
    gold = f"{pairs_of_columns}:dev"
    assert judged(run, gold, answers) == [0, 1, 1]
    assert judged(run, gold, answers, "--no-bird", "--metrics", "ex") == [1, 0, 0]


def test_any_gold_file_is_judged_by_birds_rule_when_asked_for(bird: Path, run: Run) -> None:
    Path("gold.sql").write_text("SELECT id, city FROM shop\tshop\nSELECT city FROM shop\tshop\n")
    places = ("--databases", bird / "dev_20240627" / "dev_databases", "--metrics", "ex")
    assert judged(run, "gold.sql", [TURNED, ROWS_TWICE], *places) == [1, 0]
    assert judged(run, "gold.sql", [TURNED, ROWS_TWICE], *places, "--bird") == [0, 1]


def test_a_model_or_a_file_judged_by_pairs_gets_birds_rule_too(
    pairs_of_columns: Path, run: Run
) -> None:
    Path("answers.sql").write_text(f"{TURNED}\n{ROWS_TWICE}\nSELECT 7\n")
    databases = pairs_of_columns / "dev_20240627" / "dev_databases"
    files = (databases, "--pairs", f"{pairs_of_columns}:dev", "--predictions", "answers.sql")
    said = run("eval", *files)
    assert "execution accuracy 33.3% (1 of 3)" in said
    assert "  simple: 33.3% (1 of 3)" in said
    assert "judged by BIRD's rule" in said
    assert "judged by BIRD's rule" not in run("eval", *files, "--no-bird")


def test_what_only_spiders_evaluator_knows_is_refused(
    bird: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("answers.sql").write_text("SELECT 1\n" * 4)
    for flag in (["--official"], ["--plug-value"], ["--metrics", "ts"]):
        judge = ["eval", "--gold", f"{bird}:dev", "--predictions", "answers.sql", *flag]
        assert main(["sql", *judge]) == 2
        assert "belongs to Spider's evaluator" in capsys.readouterr().err


def test_a_report_of_pairs_has_birds_difficulties_with_their_counts(bird: Path, run: Run) -> None:
    Path("answers.sql").write_text("".join(f"{row[2]}\n" for row in ROWS))
    files = ("--pairs", f"{bird}:dev", "--predictions", "answers.sql", "--json", "report.json")
    run("eval", bird / "dev_20240627" / "dev_databases", *files)
    levels = json.loads(Path("report.json").read_text())["summary"]["by_hardness"]
    assert {name: found["count"] for name, found in levels.items()} == {
        "simple": 2, "moderate": 1, "challenging": 1
    }  # fmt: skip
