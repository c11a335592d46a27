"""The demo's question/SQL pairs: they answer, keep to one style, and the held-out set is honest."""

from __future__ import annotations

import re
import sqlite3
from difflib import SequenceMatcher

import pytest

from luciola.demo import SHOWCASE, Pair, heldout_pairs, train_pairs

TRAIN, HELDOUT = train_pairs(), heldout_pairs()
PAIRS = TRAIN + HELDOUT
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
NUMBERS = "two|three|four|five|six|eight|ten"
LOWER_KEYWORD = re.compile(
    r"\b(select|from|where|join|on|group|by|order|limit|and|or|in|like|between|distinct|count|sum)\b"
)
LITERAL = re.compile(r"'[^']*'|\b\d+(?:\.\d+)?\b")
ORDERED = re.compile(
    r"SELECT .+? FROM (?P<rest>.+?) ORDER BY (?P<key>.+?)(?P<desc> DESC)?(?: LIMIT (?P<limit>\d+))?"
)


def normal(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def shape(query: str) -> str:
    """The query with its literals blanked; formats of strftime are part of the shape."""
    return LITERAL.sub(lambda found: found[0] if "%Y" in found[0] else "?", query)


def without_strings(query: str) -> str:
    return re.sub(r"'[^']*'", "''", query)


def literals(query: str) -> tuple[str, ...]:
    return tuple(value for value in LITERAL.findall(query) if "%Y" not in value)


def masked_words(pair: Pair) -> list[str]:
    """The question's words with names, dates and numbers blanked, runs of blanks as one."""
    text = pair.question
    values = [value.strip("'% ") for value in literals(pair.query)]
    for value in sorted(filter(None, values), key=len, reverse=True):
        text = re.sub(rf"\b{re.escape(value)}s?\b", "_", text, flags=re.IGNORECASE)
    text = re.sub(rf"\b(?:{MONTHS})\b|\b(?:{NUMBERS})\b|£?\d[\d,.]*", "_", text)
    words = re.findall(r"[a-z']+|_", text.lower())
    return [
        word
        for word, before in zip(words, ["", *words], strict=False)
        if (word, before) != ("_", "_")
    ]


def test_there_are_enough_pairs() -> None:
    assert len(TRAIN) >= 300
    assert len(HELDOUT) >= 80
    assert len({shape(pair.query) for pair in TRAIN}) >= 80


def test_every_query_has_an_answer_of_readable_size(demo: sqlite3.Connection) -> None:
    for pair in PAIRS:
        rows = demo.execute(pair.query).fetchall()
        assert 0 < len(rows) < 200, pair.query
        assert rows not in ([(0,)], [(None,)]), pair.query


def test_ties_cannot_change_an_ordered_answer(demo: sqlite3.Connection) -> None:
    """No two of the sort keys are equal, up to the first one that the limit leaves out."""
    ordered = [pair.query for pair in PAIRS if "ORDER BY" in pair.query]
    assert ordered
    for query in ordered:
        found = ORDERED.fullmatch(query)
        assert found is not None, query
        limit = f" LIMIT {int(found['limit']) + 1}" if found["limit"] else ""
        order = f"{found['key']}{found['desc'] or ''}{limit}"
        sorting = f"SELECT {found['key']} FROM {found['rest']} ORDER BY {order}"
        keys = demo.execute(sorting).fetchall()
        assert len(keys) == len(set(keys)), query


def test_a_limit_always_has_an_order() -> None:
    assert [p.query for p in PAIRS if "LIMIT" in p.query and "ORDER BY" not in p.query] == []


def test_the_sql_keeps_to_one_style() -> None:
    for pair in PAIRS:
        code = without_strings(pair.query)
        assert not LOWER_KEYWORD.search(code), pair.query
        assert not re.search(r'[;"]| AS ', code), pair.query
        assert code == " ".join(code.split()), pair.query


def test_joins_name_the_table_of_every_column_and_nothing_else_does(
    demo: sqlite3.Connection,
) -> None:
    tables = [name for (name,) in demo.execute("SELECT name FROM sqlite_master")]
    columns = {row[1] for table in tables for row in demo.execute(f"PRAGMA table_info({table})")}
    for pair in PAIRS:
        words = re.findall(r"[\w.]+", without_strings(pair.query))
        used = {word for word in words if word.split(".")[-1] in columns}
        joined = " JOIN " in pair.query
        assert used or "COUNT(*)" in pair.query
        assert all(("." in word) == joined for word in used), pair.query


def test_joins_start_at_the_table_that_holds_the_foreign_keys() -> None:
    step = re.compile(r"JOIN (\w+) ON (\w+)\.(\w+)_id = (\w+)\.id")
    for pair in PAIRS:
        steps = step.findall(pair.query)
        assert len(steps) == pair.query.count("JOIN"), pair.query
        for joined, child, key, parent in steps:
            assert joined == key == parent, pair.query
            assert f"FROM {child} JOIN" in pair.query


def test_questions_and_queries_of_the_held_out_pairs_are_never_trained() -> None:
    questions = [normal(pair.question) for pair in PAIRS]
    assert len(questions) == len(set(questions))
    trained = {" ".join(pair.query.lower().split()) for pair in TRAIN}
    assert trained.isdisjoint(" ".join(pair.query.lower().split()) for pair in HELDOUT)


def test_held_out_literals_are_new_to_their_shape() -> None:
    trained = {(shape(pair.query), literals(pair.query)) for pair in TRAIN}
    assert [p.query for p in HELDOUT if (shape(p.query), literals(p.query)) in trained] == []


def test_no_held_out_wording_is_a_trained_wording_with_another_literal() -> None:
    """Word by word, at least a fifth of the masked question differs from every trained one."""
    trained = [masked_words(pair) for pair in TRAIN]
    for pair in HELDOUT:
        words = SequenceMatcher(b=masked_words(pair))
        for others in trained:
            words.set_seq1(others)
            close = words.real_quick_ratio() >= 0.8 and words.quick_ratio() >= 0.8
            assert not close or words.ratio() < 0.8, f"{pair.question} | {' '.join(others)}"


def test_masking_sees_through_a_changed_literal() -> None:
    """The check above would be empty if questions that differ in a name stayed different."""
    bath = Pair("Which customers live in Bath?", "SELECT name FROM customer WHERE city = 'Bath'")
    leeds = Pair("Which customers live in Leeds?", "SELECT name FROM customer WHERE city = 'Leeds'")
    may = Pair("Revenue in May 2024?", "SELECT SUM(total) FROM sale WHERE date LIKE '2024-05%'")
    june = Pair("Revenue in June 2025?", "SELECT SUM(total) FROM sale WHERE date LIKE '2025-06%'")
    assert masked_words(bath) == masked_words(leeds) == ["which", "customers", "live", "in", "_"]
    assert masked_words(may) == masked_words(june) == ["revenue", "in", "_"]


@pytest.mark.parametrize("pairs", [TRAIN, HELDOUT], ids=["train", "held out"])
@pytest.mark.parametrize(
    ("pattern", "share"),
    [
        (r"WHERE", 0.4), (r"JOIN", 0.25), (r"JOIN .+ JOIN", 0.04), (r"GROUP BY", 0.15),
        (r"HAVING", 0.02), (r"ORDER BY", 0.1), (r"LIMIT \d", 0.1), (r" IN \(SELECT", 0.02),
        (r"NOT IN \(SELECT", 0.02), (r"> \(SELECT|< \(SELECT", 0.03), (r"UNION", 0.01),
        (r"INTERSECT", 0.01), (r"EXCEPT", 0.005), (r"'20\d\d", 0.15), (r"strftime", 0.03),
        (r"BETWEEN '20", 0.005), (r"DISTINCT", 0.05), (r"LIKE '[^2]", 0.01), (r"IS NULL", 0.01),
        (r"COUNT\(", 0.1), (r"SUM\(", 0.1), (r"AVG\(", 0.03), (r"M(?:IN|AX)\(", 0.02),
    ],
)  # fmt: skip
def test_every_kind_of_sql_is_covered(pairs: list[Pair], pattern: str, share: float) -> None:
    assert sum(bool(re.search(pattern, pair.query)) for pair in pairs) >= share * len(pairs)


def test_openings_are_varied() -> None:
    """A template has few openings; here no two words begin more than an eighth of them."""
    openings = [" ".join(pair.question.lower().split()[:2]) for pair in TRAIN]
    assert len(set(openings)) >= 150
    assert max(map(openings.count, openings)) <= len(openings) / 8


def test_the_showcase_is_neither_trained_nor_held_out() -> None:
    seen = {normal(pair.question) for pair in PAIRS}
    assert len(SHOWCASE) == 3
    assert seen.isdisjoint(map(normal, SHOWCASE))
