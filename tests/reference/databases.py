"""Three small databases with questions, queries and rows, all made up for these tests.

They stand where published data sets cannot: in a plain clone. `spider_folder` lays them out as
Spider does (`database/ID/ID.sqlite`, `tables.json`, `validation.jsonl`).
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

TABLES = {
    "library": (
        "CREATE TABLE \"Author\" (\n\t\"Author_ID\" INTEGER PRIMARY KEY,\n\t\"Name\" TEXT,\n"
        "\t\"Birth_Year\" INT,\n\t\"Country\" varchar(30)\n)",
        "CREATE TABLE Book (\n    Book_ID INTEGER,\n    Title TEXT, Author_ID INT,  Pages int,\n"
        "    Price REAL DEFAULT 9.5,\n    PRIMARY KEY (Book_ID),\n"
        "    FOREIGN KEY (Author_ID) REFERENCES \"Author\"(\"Author_ID\")\n)",
        "CREATE TABLE `Reader` (`Reader_ID` integer NOT NULL PRIMARY KEY AUTOINCREMENT, "
        "`Full_Name` char(40), `City` text, `Joined` DATE)",
        "CREATE TABLE Loan (\n  Reader_ID INT REFERENCES `Reader`,\n  Book_ID INT,\n"
        "  Day DATE,\n  Returned BOOLEAN,\n  PRIMARY KEY (Reader_ID, Book_ID, Day),\n"
        "  FOREIGN KEY (Book_ID) REFERENCES Book(Book_ID)\n)",
    ),
    "garage": (
        "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, phone TEXT)",
        "CREATE TABLE 'car' (\n\tplate TEXT PRIMARY KEY,\n\tmodel TEXT, year INTEGER,\n"
        "\towner INTEGER, FOREIGN KEY(owner) REFERENCES customer(id))",
        "CREATE TABLE repair (plate TEXT, day TEXT, cost DECIMAL(8,2),  mechanic TEXT\n"
        "-- one line a visit\n, foreign key (plate) references car(plate))",
    ),
    "orchestra_2": (
        "CREATE TABLE section (name TEXT PRIMARY KEY, leader INT)",
        "CREATE TABLE player (id INT PRIMARY KEY, name TEXT, age INT, section TEXT, "
        "salary NUMERIC, FOREIGN KEY (section) REFERENCES section (name))",
    ),
}  # fmt: skip
ROWS = """
INSERT INTO Author VALUES (1, 'Ada Moor', 1931, 'Peru'), (2, 'Bo Lind', 1970, 'Norway'),
    (3, 'Cleo Dur', 1954, 'Peru'), (4, 'Dan Orr', 1988, NULL);
INSERT INTO Book VALUES (1, 'Salt', 1, 320, 12.0), (2, 'Fog', 1, 210, 8.5), (3, 'Reeds', 2, 95, 8),
    (4, 'Salt Road', 3, 410, 20.0), (5, 'Untold', NULL, 60, 3.0);
INSERT INTO Reader (Full_Name, City, Joined) VALUES ('Eve Park', 'Oslo', '2019-03-01'),
    ('Finn Gray', 'Lima', '2021-07-15'), ('Gus Hale', 'Oslo', '2021-11-30');
INSERT INTO Loan VALUES (1, 1, '2022-01-01', 1), (1, 3, '2022-01-09', 0), (2, 1, '2022-02-01', 1),
    (3, 4, '2022-03-05', 0), (3, 2, '2022-03-05', 1);
""", """
INSERT INTO customer VALUES (1, 'Hal', '555'), (2, 'Ida', NULL), (3, 'Jo', '777');
INSERT INTO car VALUES ('AB1', 'Fox', 2003, 1), ('CD2', 'Lynx', 2016, 2), ('EF3', 'Fox', 2019, 1);
INSERT INTO repair VALUES ('AB1', '2020-05-01', 120.5, 'Kim'), ('AB1', '2021-05-01', 80, 'Lou'),
    ('CD2', '2021-06-11', 310, 'Kim');
""", """
INSERT INTO section VALUES ('strings', 1), ('brass', 3), ('wind', NULL);
INSERT INTO player VALUES (1, 'Mia', 31, 'strings', 4100), (2, 'Ned', 52, 'strings', 3900.5),
    (3, 'Ola', 44, 'brass', 4100), (4, 'Pia', 29, 'wind', 3000);
"""  # fmt: skip
ASKED = (
    ("library", "How many books are there?", "SELECT count(*) FROM Book"),
    ("library", "Titles of the books with more than 200 pages, the longest first.",
     "SELECT Title FROM Book WHERE Pages  >  200 ORDER BY Pages DESC"),
    ("library", "What is the name of each author with the number of books?",
     "SELECT T1.Name ,  count(*) FROM Author AS T1 JOIN Book AS T2 ON T1.Author_ID  =  "
     "T2.Author_ID GROUP BY T1.Author_ID"),
    ("library", "Which authors from Peru wrote no book?",
     "SELECT Name FROM Author WHERE Country  =  'Peru' EXCEPT SELECT T1.Name FROM Author AS T1 "
     "JOIN Book AS T2 ON T1.Author_ID  =  T2.Author_ID"),
    ("library", "What are the cities in which at least 2 readers live?",
     "SELECT City FROM Reader GROUP BY City HAVING count(*)  >=  2"),
    ("library", "Which readers have borrowed a book that costs more than the average?",
     "SELECT DISTINCT T1.Full_Name FROM Reader AS T1 JOIN Loan AS T2 ON T1.Reader_ID  =  "
     "T2.Reader_ID JOIN Book AS T3 ON T2.Book_ID  =  T3.Book_ID WHERE T3.Price  >  "
     "(SELECT avg(Price) FROM Book)"),
    ("garage", "What is the phone number of Ida?",
     "SELECT phone FROM customer WHERE name = \"Ida\""),
    ("garage", "Show model and year of all cars built between 2000 and 2017.",
     "SELECT model, year FROM car WHERE year BETWEEN 2000 AND 2017"),
    ("garage", "Who owns a Fox or has paid more than 300 for a repair?",
     "SELECT T1.name FROM customer AS T1 JOIN car AS T2 ON T1.id = T2.owner WHERE T2.model = 'Fox' "
     "UNION SELECT T1.name FROM customer AS T1 JOIN car AS T2 ON T1.id = T2.owner JOIN repair AS "
     "T3 ON T2.plate = T3.plate WHERE T3.cost > 300"),
    ("garage", "Which mechanic earned the most?",
     "SELECT mechanic FROM repair GROUP BY mechanic ORDER BY sum(cost) DESC LIMIT 1"),
    ("garage", "Names of customers without a car.",
     "SELECT name FROM customer WHERE id NOT IN (SELECT owner FROM car)"),
    ("orchestra_2", "How old is the youngest player of each section?",
     "SELECT section, min(age) FROM player GROUP BY section"),
    ("orchestra_2", "List players whose name contains an i and who are older than 30.",
     "SELECT name FROM player WHERE name LIKE '%i%' AND age > 30"),
    ("orchestra_2", "What do the leaders of the sections earn on average?",
     "SELECT avg(T1.salary) FROM player AS T1 JOIN section AS T2 ON T1.id = T2.leader"),
)  # fmt: skip


def make_database(folder: Path, db_id: str, *, rows: bool = True) -> Path:
    """FOLDER/ID/ID.sqlite with the tables of `db_id`."""
    path = folder / db_id / f"{db_id}.sqlite"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        for text in TABLES[db_id]:
            connection.execute(text)
        if rows:
            connection.executescript(ROWS[list(TABLES).index(db_id)])
        connection.commit()
    return path


def words_of(name: str) -> str:
    return name.lower().replace("_", " ")


def tables_entry(path: Path) -> dict[str, Any]:
    """The database as an entry of Spider's tables.json."""
    with closing(sqlite3.connect(path)) as connection:
        every = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = [name for (name,) in every if name != "sqlite_sequence"]
        info = {n: connection.execute(f'PRAGMA table_info("{n}")').fetchall() for n in names}
        keys = {n: connection.execute(f'PRAGMA foreign_key_list("{n}")').fetchall() for n in names}
    columns = [(-1, "*", "text", 0)]
    for index, name in enumerate(names):
        columns += [(index, row[1], kind_of(row[2]), row[5]) for row in info[name]]
    place = {
        (names[t].lower(), c.lower()): i for i, (t, c, *_) in enumerate(columns) if t >= 0
    }  # fmt: skip
    first = {
        n.lower(): next(r[1] for r in info[n] if r[5]) for n in names if any(r[5] for r in info[n])
    }
    return {
        "db_id": path.stem,
        "table_names_original": names,
        "table_names": [words_of(name) for name in names],
        "column_names_original": [[t, c] for t, c, *_ in columns],
        "column_names": [[t, words_of(c)] for t, c, *_ in columns],
        "column_types": [kind for _, _, kind, _ in columns],
        "primary_keys": [i for i, (*_, key) in enumerate(columns) if key == 1],
        "foreign_keys": [
            [place[name.lower(), row[3].lower()],
             place[row[2].lower(), (row[4] or first[row[2].lower()]).lower()]]
            for name in names for row in reversed(keys[name])
        ],
    }  # fmt: skip


def kind_of(declared: str) -> str:
    """Spider's word for a declared type."""
    kinds = {"INT": "number", "REAL": "number", "NUM": "number", "DEC": "number", "DAT": "time",
             "BOO": "boolean"}  # fmt: skip
    return kinds.get(declared.upper()[:3], "text")


def spider_folder(folder: Path) -> Path:
    """FOLDER with the three databases and their questions, in Spider's layout."""
    paths = [make_database(folder / "database", db_id) for db_id in TABLES]
    entries = [tables_entry(path) for path in paths]
    (folder / "tables.json").write_text(json.dumps(entries), encoding="utf-8")
    lines = [
        json.dumps({"db_id": db_id, "question": question, "query": query})
        for db_id, question, query in ASKED
    ]
    (folder / "validation.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
