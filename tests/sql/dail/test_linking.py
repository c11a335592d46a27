"""Links and masks equal the recorded ones; values are found in the cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from luciola.sql.dail.cells import DatabaseCells
from luciola.sql.dail.linking import LinkedSchema, Links, link, mask
from luciola.sql.dail.stop_words import STOP_WORDS

PETS = LinkedSchema(
    columns=("*", "pet type", "weight", "first name"),
    types=("text", "text", "number", "text"),
    tables=("pet", "student"),
)


class Pairs:
    """Cells given as {column: whole values}."""

    def __init__(self, values: dict[int, list[str]]) -> None:
        self.values = values

    def holds_word(self, column: int, word: str) -> bool:
        return any(word in value.split(" ") for value in self.values.get(column, []))

    def is_whole(self, column: int, words: str) -> bool:
        return words in self.values.get(column, [])


def keyed(found: Mapping[tuple[int, int], str]) -> dict[str, str]:
    return {f"{position},{index}": kind for (position, index), kind in found.items()}


def test_recorded_links_and_masks(golden: Callable[[str], Any], recorded_databases: Path) -> None:
    record, entries = golden("linking"), {e["db_id"]: e for e in golden("tables_3dbs")}
    cells = {
        db_id: DatabaseCells(recorded_databases / db_id / f"{db_id}.sqlite", columns_of(entry))
        for db_id, entry in entries.items()
    }
    assert len(record["rows"]) > 10
    for row in record["rows"]:
        schema = linked_schema(record["schemas"][row["db_id"]])
        links = link(row["question_lemmas"], schema, cells[row["db_id"]])
        assert keyed(links.columns) == row["sc_link"]["q_col_match"]
        assert keyed(links.tables) == row["sc_link"]["q_tab_match"]
        assert keyed(links.cells) == row["cv_link"]["cell_match"]
        assert keyed(links.numbers) == row["cv_link"]["num_date_match"]
        words = row["question_for_copying"]
        assert mask(words, links) == row["masked_question"]
        assert mask(words, links, name="_", value="_") == row["question_pattern"]


def columns_of(entry: dict[str, Any]) -> list[tuple[str, str]]:
    names = entry["table_names_original"]
    return [(names[t] if t >= 0 else "", c) for t, c in entry["column_names_original"]]


def linked_schema(schema: dict[str, Any]) -> LinkedSchema:
    return LinkedSchema(
        columns=tuple(" ".join(column[1:]) for column in schema["columns"]),
        types=tuple(column[0].removeprefix("<type: ")[:-1] for column in schema["columns"]),
        tables=tuple(" ".join(table) for table in schema["tables"]),
    )


def test_only_the_beginning_of_a_name_matches_in_part() -> None:
    assert link(["pet"], PETS).columns == {(0, 1): "CPM"}
    assert link(["type"], PETS).columns == {}
    assert link(["pe"], PETS).columns == {}


def test_an_exact_match_replaces_a_partial_one() -> None:
    found = link(["pet", "type"], PETS)
    assert found.columns == {(0, 1): "CEM", (1, 1): "CEM"}
    assert found.tables == {(0, 0): "TEM"}


def test_names_of_five_words_match_whole_and_longer_ones_from_their_beginning() -> None:
    words = ["number", "of", "all", "old", "dog"]
    schema = LinkedSchema(("*", " ".join(words), " ".join([*words, "here"])), ("text",) * 3, ())
    found = link(words, schema).columns
    assert found == {(i, 1): "CEM" for i in range(5)} | {(i, 2): "CPM" for i in range(5)}


def test_column_0_is_never_linked_and_times_are_told_from_numbers() -> None:
    schema = LinkedSchema(("*", "year", "since"), ("number", "number", "time"), ())
    found = link(["*", "1999"], schema)
    assert found.columns == {}
    assert found.numbers == {(1, 1): "NUMBER", (1, 2): "TIME"}


def test_stop_words_and_marks_are_looked_for_in_no_cell() -> None:
    cells = Pairs({1: ["the", "?", "yes"]})
    assert link(["the", "yes", "?"], PETS, cells).cells == {(1, 1): "EXACTMATCH"}


def test_cells_are_linked_as_runs_whole_or_in_part() -> None:
    cells = Pairs({1: ["guide dog", "cat"], 3: ["rex dog"]})
    found = link(["the", "guide", "dog", "and", "12"], PETS, cells)
    assert found.cells == {
        (1, 1): "EXACTMATCH",
        (2, 1): "EXACTMATCH",
        (2, 3): "PARTIALMATCH",
    }
    assert found.numbers == {(4, 2): "NUMBER"}


def test_the_schema_masks_before_the_values() -> None:
    links = Links(tables={(0, 0): "TEM"}, numbers={(0, 1): "NUMBER", (2, 1): "NUMBER"})
    assert mask(["Pets", "of", "3"], links) == "<mask> of <unk>"


def test_there_are_179_stop_words() -> None:
    assert len(STOP_WORDS) == 179
