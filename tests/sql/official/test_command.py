"""`luciola sql eval --gold` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from luciola.cli.judging import judge_files
from luciola.errors import ConfigError, DataError
from luciola.runs.outputs import check_output

GOLD = "SELECT Name FROM Keeper WHERE Age > 35"


def judge(zoo: Path, answers: str, **changes: str) -> str:
    folder = zoo.parent
    (folder / "gold.sql").write_text(f"{GOLD}\tzoo\n{GOLD}\tzoo\n")
    (folder / "answers.sql").write_text(answers)
    places = {
        "gold": str(folder / "gold.sql"),
        "predictions": str(folder / "answers.sql"),
        "databases": str(zoo),
        "tables": str(folder / "tables.json"),
        "metrics": "em,ex,ts",
        "out": check_output(str(folder / "new" / "report.json"), inputs=(), overwrite=True),
    }
    return judge_files(
        **{**places, **changes},
        official=False,
        keep_distinct=False,
        plug_value=False,
        timeout=5.0,
    )


def test_the_table_and_the_report_say_the_same(zoo: Path) -> None:
    text = judge(zoo, f"{GOLD}\nSELECT Age FROM Keeper\n")
    whole = json.loads((zoo.parent / "new" / "report.json").read_text())
    summary = whole["summary"]
    assert [summary[name] for name in ("em", "ex", "ts", "valid")] == [0.5, 0.5, 0.5, 1.0]
    assert "all        2    50.0%    50.0%    50.0%   100.0%" in text
    assert "1 zoo: em: differs in select, select(no AGG), where" in text


def test_text_that_the_database_holds_in_a_broken_encoding_does_not_stop_the_run(
    zoo: Path,
) -> None:
    text = judge(zoo, f"{GOLD} OR Name = CAST(x'ff41' AS TEXT)\nSELECT CAST(x'ff41' AS TEXT)\n")
    assert "all        2" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": "em,f1"}, "--metrics 'em,f1'"),
        ({"metrics": ","}, "no metric"),
        ({"predictions": ""}, "needs --predictions"),
        ({"databases": ""}, "needs --databases"),
        ({"databases": "gone"}, "no folder gone"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    zoo: Path, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        judge(zoo, "a\nb\n", **changes)


def test_a_file_that_is_no_tables_json_is_named(zoo: Path) -> None:
    (zoo.parent / "other.json").write_text("[{}]")
    with pytest.raises(DataError, match=r"other\.json: is no list of schemas"):
        judge(zoo, "a\nb\n", tables=str(zoo.parent / "other.json"))


def test_execution_alone_needs_no_tables_json(zoo: Path) -> None:
    assert "100.0%" in judge(zoo, f"{GOLD}\n{GOLD}\n", tables="", metrics="ex")
