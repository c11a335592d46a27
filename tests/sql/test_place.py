"""Where every command finds the file of a database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.errors import DatabaseError, DataError
from luciola.sql.dail.databases import Databases
from luciola.sql.dail.voting import voting_file
from luciola.sql.official.execution import database_file as judged_file
from luciola.sql.official.execution import suite_files
from luciola.sql.place import database_of, find_database
from luciola.types import Origin
from small_datasets import database, write

ROW = {"question": "How many shops?", "query": "SELECT count(*) FROM shop"}


@pytest.mark.parametrize("name", ["shop/shop.sqlite", "shop.sqlite"])
def test_all_parts_find_the_same_file(tmp_path: Path, name: str) -> None:
    """Also where another database lies beside it, which is no file of its test suite."""
    database(tmp_path / name)
    database(tmp_path / Path(name).with_name("bar.sqlite").name)
    finders: list[Callable[[Path, str], Path | None]] = [
        lambda folder, db_id: find_database([folder], db_id),
        lambda folder, db_id: Databases(folder).file(db_id),
        lambda folder, db_id: database_of(folder, db_id, Origin()),
        voting_file,
        judged_file,
    ]
    assert {find(tmp_path, "shop") for find in finders} == {tmp_path / name}
    assert suite_files(tmp_path, "shop") == [tmp_path / name]


@pytest.mark.parametrize("name", ["", "bar", "../shop", "folder/shop"])
def test_a_name_that_is_not_there_or_leads_away_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "database"
    database(folder / "folder" / "shop.sqlite")
    database(tmp_path / "shop.sqlite")
    assert find_database([folder], name) is None
    with pytest.raises(DatabaseError, match="there is no database"):
        voting_file(folder, name)
    with pytest.raises(DataError, match=r"q\.jsonl:3: there is no database"):
        database_of(folder, name, Origin("q.jsonl", 3))


def test_files_beside_ones_own_pairs_go_through_every_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One's own data set: shop.sqlite beside a file of pairs, whose rows name no database."""
    database(Path("own/shop.sqlite"))
    write(Path("own/mine.json"), [ROW])
    Path("a.sql").write_text("SELECT count(*) FROM shop\n")
    for words in (
        ["check", "own"],
        ["prompts", "--questions", "own", "--out", "p.jsonl"],
        ["eval", "--gold", "own", "--predictions", "a.sql", "--metrics", "ex"],
        ["eval", "own", "--pairs", "own", "--predictions", "a.sql"],
    ):
        assert main(["sql", *words]) == 0, words
    said = capsys.readouterr().out
    assert "all        1   100.0%" in said
    assert "execution accuracy 100.0% (1 of 1)" in said
