"""`luciola sql check` finds what is broken in invented data sets, and nothing in a sound one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from luciola.cli.errors import Ended
from luciola.cli.sql import app
from luciola.errors import DataError
from luciola.sql.checks.check import Checked, check_dataset
from luciola.sql.checks.report import report
from small_datasets import ASKED, ENTRY, SHOP, bird, database, spider, write

SOUND = "CREATE TABLE shop (id int, city text); INSERT INTO shop VALUES (1, 'Lyon')"


class Folder:
    """A data set with one split, one database and its tables.json, and what is found in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "database" / "shop" / "shop.sqlite"
        database(self.file)
        write(folder / "tables.json", [ENTRY])
        self.ask()

    def ask(self, *rows: dict[str, Any]) -> None:
        write(self.folder / "dev.json", list(rows) or [ASKED])

    def query(self, sql: str) -> None:
        self.ask({**ASKED, "query": sql})

    def remake(self, script: str) -> None:
        self.file.unlink()
        database(self.file, script)

    def describe(self, **changes: Any) -> None:
        write(self.folder / "tables.json", [{**copy.deepcopy(ENTRY), **changes}])

    def found(self, **options: Any) -> list[tuple[str, str]]:
        checked = check_dataset(self.folder, **options)
        return [(each.kind, f"{each.place}: {each.message}") for each in checked.findings]

    def only(self, kind: str, **options: Any) -> str:
        """The only finding, which must be of this kind."""
        ((seen, said),) = self.found(**options)
        assert seen == kind
        return said


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_nothing_is_found_in_sound_data(tmp_path: Path) -> None:
    assert check_dataset(bird(tmp_path) / "dev_20240627").findings == ()


@pytest.mark.parametrize(
    ("sql", "kind", "said"),
    [
        ("SELECT town FROM shop", "gold fails", "no such column: town"),
        ("DELETE FROM shop", "gold fails", "only reading is allowed"),
        ("SELECT city FROM shop WHERE id = 9", "empty result", "dev 1 (shop): no row"),
        ("SELECT city FROM shop s", "official parser", "SELECT city FROM shop s"),
    ],
)
def test_gold_queries_that_are_of_no_use(folder: Folder, sql: str, kind: str, said: str) -> None:
    folder.query(sql)
    assert said in dict(folder.found())[kind]


def test_a_gold_query_without_end_is_stopped(folder: Folder) -> None:
    folder.query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n"
    )
    found = dict(folder.found(timeout_s=0.1))
    assert "longer than 0.1 s" in found["gold too slow"]


def test_the_official_replacement_of_value_is_told_where_it_breaks_a_name(folder: Folder) -> None:
    folder.remake("CREATE TABLE shop (id int, value text); INSERT INTO shop VALUES (1, 'x')")
    columns = [[-1, "*"], [0, "id"], [0, "value"]]
    folder.describe(column_names=columns, column_names_original=columns)
    folder.query("SELECT value FROM shop")
    assert "SELECT value FROM shop" in folder.only("official value")


def test_rows_that_are_no_questions_are_named_and_the_others_checked(folder: Folder) -> None:
    folder.ask(ASKED, {"db_id": "shop", "query": "SELECT 1"})
    assert "a row needs a text 'question'" in folder.only("rows")
    (folder.folder / "dev.json").write_text('[{"db_id": "shop", "question": "Who', "utf-8")
    assert "dev.json" in folder.only("rows")


def test_the_place_of_a_row_that_is_no_question_is_said_once(folder: Folder) -> None:
    folder.ask(ASKED, {"db_id": "shop", "query": "SELECT 1"})
    assert folder.only("rows").count("dev.json") == 1


def test_databases_that_are_missing_or_damaged(folder: Folder) -> None:
    folder.ask({**ASKED, "db_id": "bar"}, ASKED)
    assert "bar: 1 questions of dev name it" in folder.only("unknown database")
    folder.ask()
    folder.file.write_bytes(folder.file.read_bytes()[:700])
    assert "cannot be read" in folder.only("unreadable database")
    folder.file.write_text("id,city\n1,Lyon\n")
    assert "is not a SQLite database" in folder.only("unreadable database")


def test_databases_and_tables_without_rows(folder: Folder) -> None:
    folder.remake("CREATE TABLE shop (id int, city text)")
    assert "holds no row" in dict(folder.found())["empty database"]
    folder.remake(SHOP.replace(" INTO", " INTO") + "; CREATE TABLE sale (id int)")
    assert "shop: 1 of 2 tables hold no row: sale" in dict(folder.found())["empty tables"]


def test_text_that_is_not_utf8_is_named_by_its_column(folder: Folder) -> None:
    folder.remake(f"{SOUND}; INSERT INTO shop VALUES (2, CAST(x'ff41' AS TEXT)), (3, x'ff')")
    assert "shop.city holds text that is not UTF-8" in folder.only("text")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "CREATE TABLE store (id int, city text)",
            "the database lacks the tables shop; tables.json lacks the tables store",
        ),
        ("CREATE TABLE shop (id int, town text)", "the database lacks the columns shop.city"),
        ("CREATE TABLE shop (id int, city text, x int)", "tables.json lacks the columns shop.x"),
        ("CREATE TABLE shop (city text, id int)", "columns of shop have another order"),
        (f"{SOUND}; CREATE TABLE bar (a int)", "tables.json lacks the tables bar"),
    ],
)
def test_names_in_which_tables_json_and_the_database_disagree(
    folder: Folder, script: str, said: str
) -> None:
    folder.remake(script)
    (found,) = (message for kind, message in folder.found() if kind == "names")
    assert said in found


def test_names_may_differ_in_case(folder: Folder) -> None:
    folder.remake("CREATE TABLE Shop (ID int, City text); INSERT INTO shop VALUES (1, 'Lyon')")
    assert folder.found() == []


def test_types_in_which_they_disagree(folder: Folder) -> None:
    folder.describe(column_types=["text", "text", "time"])
    said = folder.only("types")
    assert "2 columns of another type: shop.id (text, declared INT), shop.city (time" in said


def keyed(folder: Folder, keys: list[list[int]], order: tuple[str, ...]) -> None:
    """Tables a(x, y) and b(x, y) with two foreign keys from b to a, which SQLite lists y first."""
    tables = {
        "a": "CREATE TABLE a (x int, y int)",
        "b": "CREATE TABLE b (x int, y int, FOREIGN KEY (x) REFERENCES a (x), "
        "FOREIGN KEY (y) REFERENCES a (y))",
    }
    rows = "INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1)"
    folder.remake(f"{tables[order[0]]}; {tables[order[1]]}; {rows}")
    columns = [[-1, "*"], [0, "x"], [0, "y"], [1, "x"], [1, "y"]]
    both = {"column_names": columns, "column_names_original": columns}
    names = {"table_names": ["a", "b"], "table_names_original": ["a", "b"]}
    folder.describe(**both, **names, column_types=["text"] + ["number"] * 4, foreign_keys=keys)
    folder.query("SELECT x FROM a")


def test_foreign_keys_in_which_they_disagree(folder: Folder) -> None:
    keyed(folder, [[4, 2], [3, 2]], ("a", "b"))
    said = folder.only("foreign keys")
    assert "the database lacks b.x=a.y; tables.json lacks b.x=a.x" in said


def test_files_in_the_order_of_tables_json_are_as_published(folder: Folder) -> None:
    keyed(folder, [[4, 2], [3, 1]], ("a", "b"))
    assert folder.found() == []


def test_another_order_of_tables_or_keys_is_a_sign_of_files_exported_anew(folder: Folder) -> None:
    keyed(folder, [[4, 2], [3, 1]], ("b", "a"))
    assert "its tables stand in another order" in folder.only("exported anew")
    keyed(folder, [[3, 1], [4, 2]], ("a", "b"))
    assert "the foreign keys of b stand in another order" in folder.only("exported anew")


@pytest.mark.parametrize(
    ("databases", "last", "count"), [(5, "INT", 1), (5, "int", 0), (4, "INT", 0)]
)
def test_one_style_throughout_is_a_sign_too_where_there_are_many(
    tmp_path: Path, databases: int, last: str, count: int
) -> None:
    rows = []
    for number in range(databases):
        kind = last if number == databases - 1 else "INT"
        script = f'CREATE TABLE "t" ("a" {kind}); INSERT INTO t VALUES (1)'
        database(tmp_path / "database" / f"d{number}" / f"d{number}.sqlite", script)
        rows.append({"db_id": f"d{number}", "question": "What?", "query": "SELECT a FROM t"})
    write(tmp_path / "dev.json", rows)
    assert len(check_dataset(tmp_path).findings) == count


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"column_types": None}, "has no list 'column_types'"),
        ({"foreign_keys": [[1, 99]]}, "has [1, 99] in 'foreign_keys'"),
        ({"column_names": [[-1, "*"]]}, "has 3 'column_names_original' and 1 'column_names'"),
        ({"column_names_original": [[5, "x"]]}, "has [5, 'x'] in 'column_names_original'"),
    ],
)
def test_entries_of_tables_json_that_are_incomplete(
    folder: Folder, changes: dict[str, Any], said: str
) -> None:
    folder.describe(**changes)
    assert said in folder.only("entry")


def test_a_database_that_tables_json_does_not_list(folder: Folder) -> None:
    write(folder.folder / "tables.json", [])
    assert folder.only("no entry") == "shop: has no entry in tables.json"


def test_gold_files_that_disagree_with_the_questions(folder: Folder) -> None:
    gold = folder.folder / "dev_gold.sql"
    for text, said in (
        ("SELECT 1\tshop\nSELECT 2\tshop\n", "2 queries, and dev has 1 questions"),
        ("SELECT city FROM shop\tbar\n", "line 1 names bar"),
        ("SELECT id FROM shop\tshop\n", "line 1 has another query"),
    ):
        gold.write_text(text, encoding="utf-8")
        assert said in folder.only("gold file")
    gold.write_text("SELECT  city FROM shop\tshop\n", encoding="utf-8")
    assert folder.found() == []


def test_spiders_gold_file_of_the_training_part_belongs_to_both_files(tmp_path: Path) -> None:
    gold = spider(tmp_path) / "train_gold.sql"
    gold.write_text("SELECT city FROM shop\tshop\n" * 2, encoding="utf-8")
    assert check_dataset(tmp_path).findings == ()
    gold.write_text("SELECT city FROM shop\tshop\n", encoding="utf-8")
    assert [each.kind for each in check_dataset(tmp_path).findings] == ["gold file"]
    whole = check_dataset(f"{tmp_path}:train")
    assert (whole.splits, [each.kind for each in whole.findings]) == ({"train": 2}, ["gold file"])


def test_questions_that_two_splits_share(folder: Folder) -> None:
    other = {**ASKED, "question": "which  CITIES ?"}
    write(folder.folder / "test.json", [other, {**ASKED, "question": "Another?"}])
    said = folder.only("duplicates")
    assert said.startswith("dev and test: 1 questions of test stand in dev word by word, 1 of them")


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *arguments])
    if isinstance(result.exception, Ended):
        return result.exception.status, result.output
    if result.exception is not None:
        raise result.exception
    return 0, result.output


def test_the_command_says_what_is_broken_and_ends_in_1(folder: Folder) -> None:
    assert command(str(folder.folder)) == (
        0,
        f"{folder.folder}: dev 1 question, 1 database\n\nnothing found\n",
    )
    folder.ask(*[{**ASKED, "query": f"SELECT a{number} FROM shop"} for number in range(7)])
    out = folder.folder / "new" / "report.json"
    status, said = command(str(folder.folder), "--json", str(out), "--shown", "2")
    assert status == 1
    assert "broken        7  gold queries that do not run" in said
    assert said.count("no such column") == 2
    assert "  and 5 more" in said
    whole = json.loads(out.read_text(encoding="utf-8"))
    assert whole["broken"] is True
    assert whole["summary"]["gold fails"] == 7
    assert len(whole["findings"]) == sum(whole["summary"].values())


@pytest.mark.parametrize(
    ("path", "said"),
    [("gone", "no such folder"), (":test", "has no split 'test'; it has dev")],
)
def test_what_cannot_be_checked_says_so(folder: Folder, path: str, said: str) -> None:
    place = f"{folder.folder}{path}" if path.startswith(":") else str(folder.folder / path)
    with pytest.raises(DataError, match=said):
        command(place)
    with pytest.raises(DataError, match=r"other\.json: is no list of schemas"):
        command(str(folder.folder), "--tables", str(write(folder.folder / "other.json", [{}])))


def test_a_data_set_without_databases_asks_for_them(tmp_path: Path) -> None:
    place = spider(tmp_path / "spider") / "database"
    write(tmp_path / "syn" / "dev.json", [ASKED])
    with pytest.raises(DataError, match="comes without databases"):
        check_dataset(tmp_path / "syn")
    assert check_dataset(tmp_path / "syn", databases=str(place)).findings == ()


def test_what_is_known_of_the_released_training_data(
    spider: Path, spider_counts: tuple[int, int]
) -> None:
    """Of Spider, 1,011 validation questions run, 10 of them to no row (their README)."""
    checked = check_dataset(f"{spider}:validation")
    assert summary(checked)["empty result"] == spider_counts[1]
    assert not checked.is_broken


def summary(checked: Checked) -> dict[str, int]:
    counts: dict[str, int] = report(checked)["summary"]
    return counts


def test_a_file_without_questions_is_told_before_its_databases_are_missed(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(DataError, match="holds no questions"):
        check_dataset(tmp_path / "empty.jsonl")
