"""Pairs are tried on their database before a model is trained on them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from luciola.cli.main import main
from luciola.config.sql import SqlConfig
from luciola.errors import DatabaseError, DataError
from luciola.specialist.checked_queries import CheckedQueries, state_of
from luciola.specialist.evaluating import Databases
from luciola.specialist.pair_checks import check_pairs, check_share
from luciola.specialist.pairs import Pair, read_pairs
from luciola.specialist.training import train_specialist
from support import write_model, write_shop

GOOD = "SELECT name FROM shop WHERE id = 1"
BAD = {
    "table": "SELECT name FROM singer",
    "column": "SELECT colour FROM shop",
    "write": "DELETE FROM shop",
    "invalid": "SELECT FROM WHERE",
    "empty": "SELECT name FROM shop WHERE id = 99",
}


def write_pairs(path: Path, queries: Sequence[str], **more: str) -> str:
    rows = [{"question": f"Question {i}?", "query": sql, **more} for i, sql in enumerate(queries)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_each_pair_that_does_not_fit_is_counted_by_its_reason(shop: Path, tmp_path: Path) -> None:
    """Eleven good ones, and one of each kind from line 12 on; what runs is kept, in order."""
    path = write_pairs(tmp_path / "pairs.jsonl", [GOOD] * 11 + list(BAD.values()))
    checked = check_pairs(read_pairs(path), Databases(shop))
    assert [one.kind for one in checked.outcomes] == [""] * 11 + list(BAD)
    assert [pair.origin.line for pair in checked.usable] == [*range(1, 12), 16]
    lines = list(checked.lines())
    assert lines[0] == (
        f"1 with a table that the database lacks; the first: {path}:12 (no such table: singer)"
    )
    assert lines[-1] == f"1 that return no rows; they are kept; the first: {path}:16"
    assert checked.num_failing == 4


def test_a_slow_query_is_kept_and_told(shop: Path) -> None:
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    checked = check_pairs([Pair("How far?", slow)], Databases(shop), timeout_s=0.2)
    assert checked.outcomes[0].kind == "limit"
    assert len(checked.usable) == 1
    assert "0.2 s" in next(checked.lines())


def test_the_database_is_never_changed_by_a_pair(shop: Path) -> None:
    before = shop.read_bytes()
    check_pairs([Pair("Away?", "DELETE FROM shop"), Pair("?", "DROP TABLE shop")], Databases(shop))
    assert shop.read_bytes() == before


@pytest.mark.parametrize(
    ("failing", "most", "refused"),
    [(0, 0.0, False), (1, 0.0, True), (1, 0.1, False), (2, 0.1, True), (9, 1.0, False)],
)
def test_more_than_a_share_is_refused(
    shop: Path, tmp_path: Path, failing: int, most: float, refused: bool
) -> None:
    """Of ten pairs; exactly the share is still taken."""
    queries = [BAD["table"]] * failing + [GOOD] * (10 - failing)
    path = write_pairs(tmp_path / "pairs.jsonl", queries)
    checked = check_pairs(read_pairs(path), Databases(shop))
    if not refused:
        check_share(checked, Databases(shop), most, setting="max_failing_pairs")
        return
    with pytest.raises(DataError, match=f"{failing} of 10 pairs do not run on .*jsonl:1 "):
        check_share(checked, Databases(shop), most, setting="max_failing_pairs")


def test_pairs_of_another_database_are_refused_whatever_the_share(shop: Path) -> None:
    checked = check_pairs([Pair("How many?", "SELECT count(*) FROM pets")], Databases(shop))
    with pytest.raises(DataError, match="1 of 1 pairs do not run") as caught:
        check_share(checked, Databases(shop), 1.0, setting="max_failing_pairs")
    assert caught.value.remedy == "Check that these pairs belong to this database."


def test_pairs_of_many_databases_are_pointed_to_a_folder(shop: Path) -> None:
    pairs = [Pair("?", "SELECT 1 FROM pets", "pets"), Pair("?", "SELECT 1 FROM cars", "cars")]
    checked = check_pairs(pairs, Databases(shop))
    with pytest.raises(DataError) as caught:
        check_share(checked, Databases(shop), 0.1, setting="max_failing_pairs")
    assert "2 databases (db_id): give the folder" in str(caught.value.remedy)


def test_in_a_folder_a_missing_or_broken_database_costs_only_its_own_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "databases"
    folder.mkdir()
    write_shop(folder / "shop.sqlite")
    (folder / "torn.sqlite").write_bytes(b"SQLite format 3\0 and then nothing" * 40)
    pairs = [Pair("?", GOOD, name) for name in ("shop", "torn", "gone", "")]
    checked = check_pairs(pairs, Databases(folder))
    assert [one.kind for one in checked.outcomes] == ["", "database", "database", "database"]
    assert [pair.database for pair in checked.usable] == ["shop"]


def test_the_only_database_must_be_readable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database file"):
        check_pairs([Pair("?", GOOD)], Databases(tmp_path / "gone.db"))


class TestASecondStart:
    """What ran on a database is not run again until the database changes."""

    def checked(self, shop: Path, queries: Sequence[str]) -> list[str]:
        known = CheckedQueries.of(str(shop))
        pairs = [Pair("?", sql) for sql in queries]
        return [one.kind for one in check_pairs(pairs, Databases(shop), known=known).outcomes]

    def test_takes_what_is_known(self, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With a sandbox that must not be used any more."""
        first = self.checked(shop, [GOOD, BAD["table"]])
        monkeypatch.setattr("luciola.sql.sandbox.Sandbox.run", None)
        assert self.checked(shop, [GOOD, BAD["table"]]) == first == ["", "table"]

    def test_sees_a_column_that_was_renamed(self, shop: Path) -> None:
        assert self.checked(shop, [GOOD]) == [""]
        with closing(sqlite3.connect(shop)) as connection:
            connection.execute("ALTER TABLE shop RENAME COLUMN name TO title")
        assert self.checked(shop, [GOOD]) == ["column"]

    def test_goes_on_without_a_cache_that_is_torn_or_cannot_be_written(
        self, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.checked(shop, [GOOD])
        (file,) = (tmp_path / ".cache").rglob("*.json")
        file.write_text('{"version": 1, "outc')
        assert self.checked(shop, [GOOD]) == [""]
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        assert self.checked(shop, [GOOD]) == [""]

    def test_a_server_has_no_state_to_go_by(self) -> None:
        assert state_of("postgresql://someone@host/shop") is None


class TestTraining:
    def train(self, shop: Path, pairs: str, *more: str) -> int:
        model = write_model(Path("model").absolute(), context=1024)
        words = ["sql", "train", str(shop), "--pairs", pairs, f"model={model}"]
        return main([*words, "max_steps=1", "precision=fp32", "device=cpu", *more])

    def test_leaves_out_what_cannot_run_and_says_so(
        self, shop: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pairs = write_pairs(Path("pairs.jsonl"), [GOOD] * 19 + [BAD["column"]])
        assert self.train(shop, pairs, "--dry-run") == 0
        shown = capsys.readouterr()
        said = shown.out + shown.err
        assert "1 of 20 pairs left out, because their SQL does not run:" in said
        assert "pairs.jsonl:20 (no such column: colour)" in said
        assert self.train(shop, pairs, "out=run") == 0
        assert "on 19 examples" in capsys.readouterr().err

    @pytest.mark.parametrize("more", [["--dry-run"], []])
    def test_refuses_pairs_of_another_database(
        self, shop: Path, more: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        pairs = write_pairs(Path("pairs.jsonl"), [GOOD, BAD["table"], BAD["table"]])
        assert self.train(shop, pairs, *more) == 1
        said = capsys.readouterr().err
        assert "2 of 3 pairs do not run" in said
        assert "pairs.jsonl:2 (no such table: singer)" in said
        assert not Path("runs").exists()

    def test_trains_on_the_others_where_that_is_asked_for(
        self, shop: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pairs = write_pairs(Path("pairs.jsonl"), [GOOD, BAD["table"], BAD["table"]])
        assert self.train(shop, pairs, "--dry-run", "max_failing_pairs=1") == 0
        assert self.train(shop, pairs, "--dry-run", "check_pairs=false") == 0

    def test_the_python_call_refuses_as_well(self, shop: Path) -> None:
        model = write_model(Path("model").absolute(), context=1024)
        pairs = write_pairs(Path("pairs.jsonl"), [BAD["write"]] * 2)
        config = SqlConfig(model=str(model), database=str(shop), pairs=pairs)
        with pytest.raises(DataError, match="2 that do more than read what they may"):
            train_specialist(config, dry_run=True, show=False)

    def test_one_bad_pair_that_happens_to_be_held_out_refuses_nothing(
        self, shop: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One of 20 is 5 %, wherever it falls; one of the 2 held out would be half of them."""
        for bad in (0, 9, 19):
            queries = [BAD["table"] if i == bad else GOOD for i in range(20)]
            pairs = write_pairs(Path("pairs.jsonl"), queries)
            for seed in range(3):
                assert (
                    self.train(shop, pairs, "--dry-run", "eval_fraction=0.1", f"seed={seed}") == 0
                )
                said = "".join(capsys.readouterr())
                assert "1 of 20 pairs left out, because their SQL does not run:" in said

    def test_the_first_that_fails_is_the_first_of_the_file(
        self, shop: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The split shuffles the pairs; a person looks for the first line."""
        pairs = write_pairs(Path("pairs.jsonl"), [GOOD] * 3 + [BAD["table"]] * 17)
        assert self.train(shop, pairs, "--dry-run") == 1
        assert "the first: pairs.jsonl:4 (" in capsys.readouterr().err

    def test_pairs_without_their_flag_are_no_recipe(
        self, shop: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_pairs(Path("pairs.jsonl"), [GOOD])
        assert main(["sql", "train", str(shop), "pairs.jsonl", "model=m"]) == 2
        assert "given with --pairs pairs.jsonl" in capsys.readouterr().err

    def test_held_out_pairs_are_checked_too(
        self, shop: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pairs = write_pairs(Path("pairs.jsonl"), [GOOD] * 3)
        held_out = write_pairs(Path("held.jsonl"), [BAD["table"]] * 3)
        assert self.train(shop, pairs, "--dry-run", f"eval_pairs={held_out}") == 1
        assert "held.jsonl:1" in capsys.readouterr().err


def test_thousands_of_pairs_take_seconds(shop: Path) -> None:
    """2,000 different queries; 7,000 of Spider's over 140 databases take 4 s on two cores."""
    pairs = [
        Pair("?", f"SELECT name FROM shop WHERE id = {i % 3 + 1} AND {i} > 0")
        for i in range(1, 2001)
    ]
    began = time.monotonic()
    assert check_pairs(pairs, Databases(shop)).num_failing == 0
    assert time.monotonic() - began < 20
