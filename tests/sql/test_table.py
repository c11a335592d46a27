from __future__ import annotations

from luciola.sql.database.result import Cell, Result
from luciola.sql.table import table_text


def text(columns: list[str], rows: list[tuple[Cell, ...]], **options: int) -> list[str]:
    return table_text(Result(tuple(columns), tuple(rows), 0.0), **options).splitlines()


def test_columns_are_aligned_and_numbers_stand_to_the_right() -> None:
    rows: list[tuple[Cell, ...]] = [("Lyon", 2), ("New York", 10), (None, None)]
    assert text(["city", "count"], rows) == [
        "city      count",
        "--------  -----",
        "Lyon          2",
        "New York     10",
        "NULL       NULL",
    ]


def test_wide_characters_take_two_columns() -> None:
    assert text(["a", "b"], [("北京", "x"), ("é", "y")]) == [
        "a     b",
        "----  -",
        "北京  x",
        "é     y",
    ]


def test_long_cells_are_cut_and_line_breaks_and_escapes_are_harmless() -> None:
    *_, long, broken, blob = text(
        ["a"], [("x" * 99,), ("a\nb\x1b[31m",), (b"\0" * 99,)], max_width=9
    )
    assert long == "x" * 8 + "…"
    assert broken == "a b [31m"
    assert blob == "x'000000…"


def test_rows_beyond_the_limit_are_counted() -> None:
    assert text(["n"], [(n,) for n in range(5)], max_rows=2)[-1] == "… and 3 more rows"
    assert text(["n"], [(1,), (2,)], max_rows=1)[-1] == "… and 1 more row"
    cut = Result(("n",), ((1,), (2,)), 0.0, truncated=True)
    assert table_text(cut).splitlines()[-1] == "… and at least 1 more rows"


def test_a_result_without_rows_says_so() -> None:
    assert text(["a", "bc"], []) == ["a  bc", "-  --", "(no rows)"]


def test_a_table_wider_than_the_terminal_is_shown_row_by_row() -> None:
    """Forty lines of it at most, and always one whole row."""
    names = tuple(f"c{number}" for number in range(12))
    rows = tuple(tuple(range(row, row + 12)) for row in range(5))
    result = Result(names, rows, 0.0)
    assert table_text(result).splitlines()[0].split() == list(names)
    assert table_text(result, terminal=60).splitlines()[0].split() == list(names)
    lines = table_text(result, terminal=40).splitlines()
    assert lines[:3] == ["row 1", "  c0   0", "  c1   1"]
    assert lines[12] == "  c11  11"
    assert lines[-1] == "… and 2 more rows"
    assert len(lines) == 3 * 13 + 1


def test_a_result_without_rows_keeps_its_head_however_narrow_the_terminal() -> None:
    assert table_text(Result(("name", "city"), (), 0.0), terminal=4).endswith("(no rows)")
