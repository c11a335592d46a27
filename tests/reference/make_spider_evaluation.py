"""Records the official verdicts: python make_spider_evaluation.py FOLDER, a checkout of
taoyds/test-suite-sql-eval.

Recorded with test-suite-sql-eval e97acc5 (August 2022), nltk 3.10.4, sqlparse 0.5.5, Python 3.11,
on the databases of databases.py. NLTK's split into sentences, which needs a download and finds one
sentence in every query here, is left out.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from databases import ASKED, TABLES, make_database, tables_entry
from recording import save

OLD = "SELECT Title FROM Book WHERE Pages > 200"
CASES = (
    *((db_id, query, query) for db_id, _, query in ASKED),
    ("library", "SELECT Book.Title FROM Book WHERE Book.Pages > 1;", OLD),
    ("library", "SELECT DISTINCT Title FROM Book WHERE Pages > 200", OLD),
    ("library", "SELECT Title FROM Book WHERE Pages >= 200", OLD),
    ("library", "SELECT Title FROM Book WHERE NOT Pages > 200", OLD),
    ("library", "SELECT Title FROM Book WHERE Pages > 200 LIMIT 2", OLD),
    ("library", "SELECT Title FROM Book ORDER BY Pages", OLD),
    ("library", "SELECT Title FROM Films", OLD),
    ("library", "SELECT Title Book", OLD),
    ("library", "SELECT", OLD),
    ("library", "SELECT Title FROM Book WHERE Price > 5 AND Pages > 9",
     "SELECT Title FROM Book WHERE Pages > 9 AND Price > 5"),
    ("library", "SELECT Title FROM Book WHERE Price > 5 OR Pages > 9",
     "SELECT Title FROM Book WHERE Pages > 9 AND Price > 5"),
    ("library", "SELECT Pages, Title FROM Book", "SELECT Title, Pages FROM Book"),
    ("library", "SELECT sum(Pages), max(Price) FROM Book",
     "SELECT sum(Pages), min(Price) FROM Book"),
    ("library", "SELECT Title FROM Book ORDER BY Pages ASC",
     "SELECT Title FROM Book ORDER BY Pages"),
    ("library", "SELECT Title FROM Book ORDER BY Pages DESC",
     "SELECT Title FROM Book ORDER BY Pages"),
    ("library", "SELECT count(*) FROM Book AS b JOIN Author AS a ON a.Author_ID = b.Author_ID",
     "SELECT count(*) FROM Author AS T1 JOIN Book AS T2 ON T1.Author_ID = T2.Author_ID"),
    ("library", "SELECT T2.Name FROM Book AS T1 JOIN Author AS T2 ON T1.Pages = T2.Birth_Year",
     "SELECT T2.Name FROM Book AS T1 JOIN Author AS T2 ON T1.Author_ID = T2.Author_ID"),
    ("library",
     "SELECT T1.Author_ID FROM Book AS T1 JOIN Author AS T2 ON T1.Author_ID = T2.Author_ID",
     "SELECT T2.Author_ID FROM Book AS T1 JOIN Author AS T2 ON T1.Author_ID = T2.Author_ID"),
    ("library", "SELECT City FROM Reader GROUP BY City", ASKED[4][2]),
    ("library", "SELECT City FROM Reader GROUP BY City HAVING count(*) > 9",
     "SELECT City FROM Reader GROUP BY City HAVING count(*) > 2"),
    ("library", "SELECT Name FROM Author WHERE Country = 'Peru' UNION SELECT Name FROM Author",
     "SELECT Name FROM Author WHERE Country = 'Chile' UNION SELECT Name FROM Author"),
    ("library", "SELECT count(*) FROM (SELECT DISTINCT City FROM Reader)",
     "SELECT count(DISTINCT City) FROM Reader"),
    ("library", "SELECT Title FROM Book WHERE Price = (SELECT max(Price) FROM Book)",
     "SELECT Title FROM Book ORDER BY Price DESC LIMIT 1"),
    ("library", "SELECT Title FROM Book WHERE Author_ID IN (SELECT Author_ID FROM Author WHERE "
     "Country = 'Peru')", "SELECT Title FROM Book WHERE Author_ID IN (SELECT Author_ID FROM Author "
     "WHERE Country = 'Oz')"),
    ("garage", "SELECT model FROM car WHERE model LIKE 'F%'",
     "SELECT model FROM car WHERE model NOT LIKE 'F%'"),
    ("garage", "SELECT model FROM car WHERE year <> 2000",
     "SELECT model FROM car WHERE year != 2000"),
    ("garage", "SELECT name FROM customer WHERE name = \"it's\"", ASKED[6][2]),
    ("garage", "SELECT cost + cost FROM repair", "SELECT cost - cost FROM repair"),
    ("orchestra_2", "SELECT section, age FROM player GROUP BY age, section",
     "SELECT section, age FROM player GROUP BY section, age"),
)  # fmt: skip
RESULTS: tuple[tuple[list[Any], list[Any], bool], ...] = (
    ([(1, "a"), (2, "b")], [(2, "b"), (1, "a")], False),
    ([(1, "a"), (2, "b")], [(2, "b"), (1, "a")], True),
    ([(1, "a"), (2, "b")], [("a", 1), ("b", 2)], True),
    ([(1, "a"), (2, "b")], [("a", 2), ("b", 1)], False),
    ([(1,), (1,), (2,)], [(1,), (2,), (2,)], False),
    ([], [(1,)], False),
    ([], [], True),
    ([(1, 2)], [(1,)], False),
    ([(None, "x")], [("x", None)], False),
    ([(1.0,)], [(1,)], True),
    ([("1",)], [(1,)], False),
    ([(1, 1, 2), (1, 2, 2)], [(2, 1, 1), (2, 2, 1)], True),
    ([(1, 1, 2), (1, 2, 2)], [(2, 1, 1), (1, 2, 2)], False),
    ([(3,), (1,), (2,)], [(1,), (2,), (3,)], True),
)


def verdict(
    evaluation: Any, sql: Any, entry: dict[str, Any], path: Path, pair: Any
) -> dict[str, Any]:
    """What the evaluator's own loop does with one pair, values off."""
    schema = sql.Schema(sql.get_schema(str(path)))
    predicted, gold, problem = None, sql.get_sql(schema, pair[1]), None
    hardness = evaluation.Evaluator().eval_hardness(gold)
    try:
        predicted = sql.get_sql(schema, pair[0])
    except Exception as error:
        problem = type(error).__name__
        predicted = {
            "except": None, "from": {"conds": [], "table_units": []}, "groupBy": [], "having": [],
            "intersect": None, "limit": None, "orderBy": [], "select": [False, []], "union": None,
            "where": [],
        }  # fmt: skip
    keys = evaluation.build_foreign_key_map(entry)
    parts = []
    for query in (predicted, gold):
        valid = evaluation.build_valid_col_units(query["from"]["table_units"], schema)
        query = evaluation.rebuild_sql_val(query)
        parts.append(evaluation.rebuild_sql_col(valid, query, keys))
    judge = evaluation.Evaluator()
    exact = judge.eval_exact_match(*parts)  # empties the lists of its arguments
    scores = judge.partial_scores
    return {
        "hardness": hardness, "pred_parse_error": problem, "exact": int(exact),
        "f1": {name: int(score["f1"] == 1) for name, score in scores.items()},
    }  # fmt: skip


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    import evaluation
    import exec_eval
    import process_sql

    process_sql.word_tokenize = partial(process_sql.word_tokenize, preserve_line=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = {db_id: make_database(Path(folder), db_id) for db_id in TABLES}
        for db_id, predicted, gold in CASES:
            path = paths[db_id]
            found = verdict(evaluation, process_sql, tables_entry(path), path, (predicted, gold))
            rows.append({"db": db_id, "pred": predicted, "gold": gold, **found})
    save("eval/em_micro", rows)
    save("eval/result_eq_micro", [
        {"r1": first, "r2": second, "order_matters": ordered,
         "equal": bool(exec_eval.result_eq(first, second, ordered))}
        for first, second, ordered in RESULTS
    ])  # fmt: skip


if __name__ == "__main__":
    main()
