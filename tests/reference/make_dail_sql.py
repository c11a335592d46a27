"""Records what DAIL-SQL computes: python make_dail_sql.py FOLDER, a checkout of BeachWang/DAIL-SQL.

Recorded with DAIL-SQL 2965e8d (June 2024), sql-metadata 2.11.0, sqlparse 0.5.5, Python 3.11, on the
databases and questions of databases.py. Its tokenizer of prompts counts nothing here, its selection
gives the examples that we hand it, and its stop words are NLTK's list of 2022 as this project
states it (`luciola.sql.dail.stop_words`), so PYTHONPATH must hold this project's `src`.
"""

from __future__ import annotations

import json
import runpy
import sqlite3
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from databases import ASKED, TABLES, make_database, tables_entry
from recording import save

from luciola.sql.dail.stop_words import STOP_WORDS

ANSWERS = (
    "count(*) FROM Book", "SELECT count(*)\nFROM   Book", " Title FROM Book /* a comment */ x",
    "select Title from Book", "SELECT Name FROM Author;\nThe names of all authors.",
    "```sql\nSELECT 1\n```", "", "  \n ", "WITH t AS (SELECT 1) SELECT * FROM t", "SELECTED",
    "Title FROM Book WHERE Title = 'a  b'", "/* none */ SELECT 2", "SELECT a /* x */, b FROM c",
    "\tSELECT 3", "SELECT",
)  # fmt: skip
LIKE = (
    ("library", "SELECT Title FROM Book WHERE Pages > 200 OR Price <= 8.5", 1),
    ("library", "SELECT b.Title FROM Book b LEFT JOIN Author a ON a.Author_ID = b.Author_ID", 2),
    ("library", "SELECT Name, Country FROM Author WHERE Birth_Year BETWEEN 1900 AND 1960;", 3),
    ("library", "SELECT city FROM reader GROUP BY city HAVING COUNT(DISTINCT Full_Name) > 1", 4),
    ("library", "SELECT Title FROM Book WHERE Author_ID IN (SELECT Author_ID FROM Author WHERE "
     "Name LIKE '%Moor%') AND Price != -1", 3),
    ("garage", "SELECT phone FROM customer WHERE name = 'Ida' LIMIT 1", 6),
    ("garage", "SELECT model FROM car WHERE year > 2000 INTERSECT SELECT model FROM car", 7),
    ("garage", "SELECT T1.name, sum(T3.cost) AS total FROM customer AS T1 JOIN car AS T2 ON "
     "T1.id = T2.owner JOIN repair AS T3 ON T2.plate = T3.plate GROUP BY T1.id ORDER BY total", 9),
    ("garage", "SELECT * FROM repair WHERE mechanic IS NOT NULL", 9),
    ("orchestra_2", "SELECT max(age) - min(age), section FROM player GROUP BY section", 11),
    ("orchestra_2", "SELECT name FROM player WHERE name LIKE \"%i%\" AND age > 30.5 ", 12),
)  # fmt: skip
"""Queries that a model could have written: (database, query, index of the question in ASKED)."""
LEMMAS = (
    ("library", "how many book be there ?"),
    ("library", "title of the book with more than 200 page , the long first ."),
    ("library", "what be the name of each author with the number of book ?"),
    ("library", "which reader live in the city Oslo ?"),
    ("library", "full name of reader who join after 2021 ."),
    ("garage", "what be the phone number of ida ?"),
    ("garage", "show model and year of all car build between 2000 and 2017 ."),
    ("garage", "which mechanic ask for the high cost of a repair ?"),
    ("orchestra_2", "how old be the young player of each section ?"),
    ("orchestra_2", "list player whose name contain an i and who be old than 30 ."),
    ("orchestra_2", "what do the section leader earn in 3.5 year ?"),
)
REPRESENTATIONS = (
    "SQL", "TEXT", "NUMBERSIGN", "BASELINE", "INSTRUCTION", "NUMBERSIGNWFK",
    "BASELINEWOFK", "TEXTWFK", "INSTRUCTIONWFK", "NUMBERSIGNWORULE", "SQLWRULE", "INSTRUCTIONWRULE",
    "TEXTWRULE", "SQLCOT", "TEXTCOT", "NUMBERSIGNCOT", "INSTRUCTIONCOT", "CBR",
)  # fmt: skip
SHOWN = (
    ("SQL", "QA", 2), ("SQL", "ONLYSQL", 2), ("SQL", "COMPLETE", 1), ("TEXT", "QAWRULE", 2),
    ("NUMBERSIGN", "NUMBERSIGNQA", 2), ("BASELINE", "BASELINEQA", 3), ("TEXT", "COMPLETE", 2),
)  # fmt: skip


def load(folder: Path) -> None:
    """What DAIL-SQL imports and these values do not use is stood in for."""
    sys.path.insert(0, str(folder))
    nltk, corpus = ModuleType("nltk"), ModuleType("nltk.corpus")
    corpus.stopwords = SimpleNamespace(words=lambda _: sorted(STOP_WORDS))  # type: ignore[attr-defined]
    nltk.corpus = corpus  # type: ignore[attr-defined]
    transformers = ModuleType("transformers")
    transformers.AutoTokenizer = None  # type: ignore[attr-defined]
    sys.modules |= {"nltk": nltk, "nltk.corpus": corpus, "transformers": transformers}


def target(folder: Path, db_id: str, question: str, query: str) -> dict[str, Any]:
    from utils.utils import get_tables

    path = str(folder / db_id / f"{db_id}.sqlite")
    return {
        "db_id": db_id, "question": question, "query": query, "path_db": path,
        "tables": get_tables(path), "query_skeleton": "_", "question_pattern": "_",
    }  # fmt: skip


def prompt(folder: Path, name: str, style: str | None, examples: list[Any], asked: Any) -> Any:
    """What DAIL-SQL's own assembly writes, with these examples."""
    from prompt import prompt_builder
    from prompt.PromptICLTemplate import BasicICLPrompt

    chosen = prompt_builder.prompt_factory(name, len(examples), style, "RANDOM")
    made = object.__new__(chosen)
    BasicICLPrompt.__init__(made, "none")
    made.get_examples = lambda *_, **__: examples
    return made.format(target(folder, *asked), max_seq_len=10**9, max_ans_len=200, scope_factor=1)


def prompts(folder: Path) -> None:
    from prompt import PromptICLTemplate

    PromptICLTemplate.count_tokens = lambda *_, **__: 0
    # one question a database: the schema makes the prompt
    firsts = [next(asked for asked in ASKED if asked[0] == db_id) for db_id in TABLES]
    save("dail/questions", [{"db_id": d, "question": q} for d, q, _ in firsts])
    for name in REPRESENTATIONS:
        found = [prompt(folder, name, None, [], asked)["prompt"] for asked in firsts]
        save(f"dail/zero_shot_{name}", {"repr": name, "prompts": found})
    for name, style, shots in SHOWN:
        items = []
        for index in (6, 11):
            examples = [
                target(folder, *ASKED[(index + 3 * i + 1) % len(ASKED)]) for i in range(shots)
            ]
            made = prompt(folder, name, style, examples, ASKED[index])
            items.append({
                "db_id": ASKED[index][0], "question": ASKED[index][1],
                "examples": [{k: e[k] for k in ("db_id", "question", "query")} for e in examples],
                "n_examples": made["n_examples"], "prompt": made["prompt"],
            })  # fmt: skip
        save(f"dail/few_shot_{name}_{shots}-SHOT_{style}", {
            "repr": name, "example_type": style, "k": shots, "items": items
        })  # fmt: skip


def schemas(folder: Path) -> None:
    from utils.utils import get_sql_for_database, get_tables

    facts, texts, entries = {}, {}, []
    for db_id in TABLES:
        path = folder / db_id / f"{db_id}.sqlite"
        tables = get_tables(str(path))
        facts[db_id] = {"tables": [
            {"name": t["name"], "columns": t["schema"], **t["table_info"]} for t in tables
        ]}  # fmt: skip
        texts[db_id] = "\n\n".join(get_sql_for_database(str(path)))
        entries.append(tables_entry(path))
    save("dail/schema_facts", facts)
    save("dail/ddl", texts)
    save("dail/tables_3dbs", entries)


def skeletons(folder: Path) -> None:
    from utils.utils import jaccard_similarity, sql2skeleton, sql_normalization

    rows = []
    pairs = [(d, q, q) for d, _, q in ASKED]
    pairs += [(db_id, ASKED[index][2], written) for db_id, written, index in LIKE]
    for db_id, gold, predicted in pairs:
        entry = tables_entry(folder / db_id / f"{db_id}.sqlite")
        parts = [
            {"sql": sql, "normalized": sql_normalization(sql), "skeleton": sql2skeleton(sql, entry)}
            for sql in (gold, predicted)
        ]
        parts[1]["jaccard_vs_gold"] = jaccard_similarity(*(p["skeleton"] for p in parts))
        rows.append({"db_id": db_id, "gold": parts[0], "prediction": parts[1]})
    save("dail/skeletons", rows)


def links(folder: Path) -> None:
    """Cells too: the questions' words are looked up in the rows."""
    from utils.linking_utils.application import (
        get_question_pattern_with_schema_linking,
        mask_question_with_schema_linking,
    )
    from utils.linking_utils.spider_match_utils import (
        compute_cell_value_linking,
        compute_schema_linking,
    )

    known, rows = {}, []
    for db_id in TABLES:
        entry = tables_entry(folder / db_id / f"{db_id}.sqlite")
        types = [f"<type: {kind}>" for kind in entry["column_types"]]
        names = [name.split() for _, name in entry["column_names"]]
        known[db_id] = {
            "columns": [[kind, *name] for kind, name in zip(types, names, strict=True)],
            "tables": [name.split() for name in entry["table_names"]],
        }  # fmt: skip
    for db_id, question in LEMMAS:
        entry = tables_entry(folder / db_id / f"{db_id}.sqlite")
        words = question.split()
        schema = known[db_id]
        connection = sqlite3.connect(folder / db_id / f"{db_id}.sqlite")
        tables = [SimpleNamespace(orig_name=name) for name in entry["table_names_original"]]
        pairs = zip(entry["column_names_original"], entry["column_types"], strict=True)
        columns = [
            SimpleNamespace(orig_name=name, type=kind, table=tables[t] if t >= 0 else None)
            for (t, name), kind in pairs
        ]
        bare = [column[1:] for column in schema["columns"]]
        row = {
            "db_id": db_id, "question_lemmas": words, "question_for_copying": words,
            "sc_link": compute_schema_linking(words, bare, schema["tables"]),
            "cv_link": compute_cell_value_linking(
                words, SimpleNamespace(columns=columns, connection=connection)
            ),
        }  # fmt: skip
        row["masked_question"] = mask_question_with_schema_linking([row], "<mask>", "<unk>")[0]
        row["question_pattern"] = get_question_pattern_with_schema_linking([row])[0]
        rows.append(row)
    save("dail/linking", {"schemas": known, "rows": rows})


def read_answers(folder: Path, dail: Path) -> None:
    """Runs `ask_llm.py` with a model that says ANSWERS."""
    openai, chatgpt = ModuleType("openai"), ModuleType("llm.chatgpt")
    openai.error = SimpleNamespace(InvalidRequestError=KeyError)  # type: ignore[attr-defined]
    chatgpt.init_chatgpt = lambda *_: None  # type: ignore[attr-defined]
    chatgpt.ask_llm = lambda _m, batch, _t, _n: {  # type: ignore[attr-defined]
        "total_tokens": 0, "response": [ANSWERS[int(asked)] for asked in batch]
    }  # fmt: skip
    sys.modules |= {"openai": openai, "llm.chatgpt": chatgpt}
    questions = [{"prompt": str(i), "db_id": "library"} for i in range(len(ANSWERS))]
    (folder / "questions.json").write_text(json.dumps({"questions": questions}))
    sys.argv = ["ask_llm.py", "--question", str(folder), "--model", "gpt-4", "--n", "1"]
    runpy.run_path(str(dail / "ask_llm.py"), run_name="__main__")
    lines = (folder / "RESULTS_MODEL-gpt-4.txt").read_text().split("\n")[:-1]
    pairs = zip(ANSWERS, lines, strict=True)
    save("dail/postprocess_n1", [{"raw": raw, "written_line": line} for raw, line in pairs])


def main() -> None:
    dail = Path(sys.argv[1]).resolve()
    load(dail)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for db_id in TABLES:
            make_database(folder, db_id)
        schemas(folder)
        skeletons(folder)
        links(folder)
        prompts(folder)
        read_answers(folder, dail)


if __name__ == "__main__":
    main()
