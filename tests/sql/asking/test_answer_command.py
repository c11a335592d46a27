"""`luciola sql answer`: prompts in, one SQL a line out, whatever the model says."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luciola.cli.answers import one_line
from luciola.cli.main import main
from luciola.sql.dail.reply import sql_line
from support import write_model

Command = Callable[..., int]


@pytest.fixture
def databases(tmp_path: Path) -> Path:
    folder = tmp_path / "databases"
    for name in ("shop", "city"):
        (folder / name).mkdir(parents=True)
        connection = sqlite3.connect(folder / name / f"{name}.sqlite")
        connection.executescript(
            f"CREATE TABLE {name} (id INTEGER, name TEXT);"
            f"INSERT INTO {name} VALUES (1, 'a'), (2, 'b');"
        )
        connection.close()
    return folder


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    rows = [
        {"db_id": "shop", "question": "How many shops?", "query": "SELECT count(*) FROM shop"},
        {"db_id": "city", "question": "Which city is first?", "query": "SELECT min(id) FROM city"},
        {"db_id": "shop", "question": "Names of shops?", "query": "SELECT name FROM shop"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def prompts(tmp_path: Path, questions: Path, databases: Path) -> Path:
    out = tmp_path / "prompts.jsonl"
    flags = ["--questions", str(questions), "--databases", str(databases), "--out", str(out)]
    assert main(["sql", "prompts", *flags]) == 0
    return out


@pytest.fixture
def ask(prompts: Path, server: Any) -> Command:
    def run(*flags: object, out: str = "predictions.sql") -> int:
        given = ["--prompts", prompts, "--endpoint", server.url, "--name", "m", "--out", out]
        return main(["sql", "answer", *map(str, [*given, *flags])])

    return run


def saying(words: Any, **replies: Any) -> Callable[[Any], tuple[int, str]]:
    """A server that answers by the first word of the question that it finds in a prompt."""

    def reply(body: Any) -> tuple[int, str]:
        prompt = words.asked(body).split("Answer the following: ")[-1]
        said = next((said for word, said in replies.items() if word in prompt), "")
        return 200, words.chat(*([said] if isinstance(said, str) else said[: body.get("n", 1)]))

    return reply


def test_predictions_are_aligned_with_the_prompts_and_judged(
    ask: Command,
    server: Any,
    words: Any,
    questions: Path,
    databases: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The third answer never comes: its line is a bare SELECT, which is wrong and never runs."""
    server.reply = saying(words, many="count(*)\nFROM shop;", first="```sql\nSELECT 1\n```")
    assert ask("--tries", 1, "--price-in", 2, "--price-out", 10) == 0
    lines = Path("predictions.sql").read_text().splitlines()
    assert lines == ["SELECT count(*) FROM shop", "SELECT 1", "SELECT"]
    shown = capsys.readouterr().out
    assert "3 lines in predictions.sql" in shown
    assert "3 prompts, 30 tokens read, 9 written, cost 0.00015, " in shown
    assert "not answered: 1, whose line is a bare SELECT" in shown
    assert "line 3: answered with an empty text" in shown
    judged = ["--pairs", str(questions), "--predictions", "predictions.sql"]
    assert main(["sql", "eval", str(databases), *judged]) == 0
    assert "execution accuracy 66.7% (2 of 3)" in capsys.readouterr().out


def test_the_second_run_asks_only_what_failed(ask: Command, server: Any, words: Any) -> None:
    server.reply = saying(words, many="1", first="2")
    assert ask("--tries", 1) == 0
    server.bodies.clear()
    server.reply = saying(words, Names="3")
    assert ask() == 0
    assert len(server.bodies) == 1
    assert Path("predictions.sql").read_text() == "SELECT 1\nSELECT 2\nSELECT 3\n"


def test_answers_vote_on_the_database(
    ask: Command, server: Any, words: Any, databases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply = saying(
        words,
        many=["SELECT 7", "count(*) FROM shop", "2", "max(id) FROM shop", "no"],
        first=["SELECT a", "SELECT b", "SELECT c", "SELECT d", "SELECT e"],
        Names=["name FROM shop", "SELECT DISTINCT name FROM shop", "1", "1", "name FROM shop"],
    )
    assert ask("--votes", 5, "--databases", databases, "--json", "report.json") == 0
    assert {(body["n"], body["temperature"]) for body in server.bodies} == {(5, 1.0)}
    lines = Path("predictions.sql").read_text().splitlines()
    assert lines == ["SELECT count(*) FROM shop", "SELECT a", "SELECT name FROM shop"]
    report = json.loads(Path("report.json").read_text())
    assert [one["votes"] for one in report["examples"]] == [3, 0, 3]
    assert [one["index"] for one in report["examples"]] == [0, 1, 2]
    assert report["examples"][0]["answers"][0] == "SELECT 7"
    assert report["summary"]["answer_tokens"] == 45
    assert "votes: 40% for the answer on average, 1 where none ran" in capsys.readouterr().out


def test_the_originals_reading_is_there(ask: Command, server: Any, words: Any) -> None:
    server.reply = saying(words, many="select 1", first="a /* b */", Names="SELECT 'x\ty'")
    assert ask("--original", "--no-cache") == 0
    lines = Path("predictions.sql").read_text().split("\n")
    assert lines == ["SELECT select 1", "SELECT a ", "SELECT 'x y'", ""]
    assert not list(Path().glob("*.answers.jsonl"))


def test_nothing_within_an_answer_breaks_its_line() -> None:
    breaks = "\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029"
    line = one_line(sql_line(f"SELECT 'a{breaks}b'"))
    assert line.splitlines() == [line]
    assert line.split("\t") == [line]


def test_completions_end_at_a_semicolon(ask: Command, server: Any) -> None:
    assert ask("--completions") == 0
    assert {tuple(body["stop"]) for body in server.bodies} == {(";",)}
    assert server.paths[0] == "/v1/completions"


def test_a_model_of_this_machine_answers_too(tmp_path: Path, prompts: Path) -> None:
    model = write_model(tmp_path / "model", context=1024)
    flags = ["--prompts", prompts, "--model", model, "--raw", "--max-tokens", 4, "--out", "a.sql"]
    assert main(["sql", "answer", *map(str, flags)]) == 0
    assert len(Path("a.sql").read_text().splitlines()) == 3
    assert len(Path("a.sql.answers.jsonl").read_text().splitlines()) == 3


def test_two_rounds_choose_examples_by_the_first_answers(
    ask: Command,
    server: Any,
    words: Any,
    questions: Path,
    databases: Path,
    tmp_path: Path,
) -> None:
    """The failed third answer is a bare SELECT, and the second round takes it as it is."""
    server.reply = saying(words, many="count(*) FROM shop", first="min(id) FROM city")
    assert ask("--tries", 1, out="first.sql") == 0
    pool = tmp_path / "pool.jsonl"
    pool.write_text(
        '{"db_id": "city", "question": "How many cities?", "query": "SELECT count(*) FROM city"}\n'
        '{"db_id": "city", "question": "Last city?", "query": "SELECT max(id) FROM city"}\n'
    )
    flags = ["--questions", questions, "--databases", databases, "--pool", pool, "--shots", 1]
    flags += ["--selection", "DAIL_S", "--predictions", "first.sql", "--out", "second.jsonl"]
    assert main(["sql", "prompts", *map(str, flags)]) == 0
    second = [json.loads(line)["prompt"] for line in Path("second.jsonl").read_text().splitlines()]
    assert "SELECT count(*) FROM city" in second[0]
    assert "SELECT max(id) FROM city" in second[1]
    assert len(second) == 3


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--endpoint", "http://x", "--name", "m", "--model", "m"], "needs either --model or"),
        ([], "needs either --model or --endpoint"),
        (["--endpoint", "http://x"], "--endpoint URL and --name NAME belong together"),
        (["--endpoint", "http://x", "--name", "m", "--raw"], "To a server, say --completions"),
        (["--endpoint", "http://x", "--name", "m", "--chat"], "leave --chat out."),
        (["--endpoint", "http://x", "--name", "m", "--adapter", "a"], "give that as --name."),
        (["--model", "m", "--completions"], "--completions goes with --endpoint"),
        (["--endpoint", "http://x", "--name", "m", "--votes", "3"], "--votes needs --databases"),
        (["--model", "./no-such-folder"], "no-such-folder"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    prompts: Path, flags: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sql", "answer", "--prompts", str(prompts), "--out", "o", *flags]) in (1, 2)
    assert problem in capsys.readouterr().err
    assert not Path("o").exists()


def test_rows_without_a_prompt_or_a_database_are_named_before_anything_is_asked(
    ask: Command,
    prompts: Path,
    server: Any,
    databases: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prompts.write_text('{"prompt": "a", "db_id": "gone"}\n{"question": "b"}\n')
    assert ask() == 1
    assert f"{prompts}:2: a row needs a text 'prompt'" in capsys.readouterr().err
    prompts.write_text('{"prompt": 5, "db_id": "shop"}\n')
    assert ask() == 1
    assert f"{prompts}:1: 'prompt' must be a text, got the number 5" in capsys.readouterr().err
    prompts.write_text('{"prompt": "a", "db_id": "gone"}\n')
    assert ask("--votes", 2, "--databases", databases) == 1
    assert "there is no database 'gone'" in capsys.readouterr().err
    assert server.bodies == []


def test_a_run_without_any_answer_writes_no_file(
    ask: Command, server: Any, words: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    server.reply = lambda body: (400, words.error("maximum context length is 10"))
    assert ask() == 1
    assert "none of 3 prompts was answered: the prompt is too long" in capsys.readouterr().err
    assert not Path("predictions.sql").exists()


def test_cut_answers_and_thoughts_without_one_are_counted_and_said(
    ask: Command, server: Any, words: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One answer is whole, one is cut while it thinks, one is cut in its SQL."""

    def reply(body: Any) -> tuple[int, str]:
        prompt = words.asked(body)
        if "How many" in prompt:
            return 200, words.chat("<think>easy</think>count(*) FROM shop", finish_reason="stop")
        said = "<think>\nSELECT? Hm" if "Which" in prompt else "name FROM"
        return 200, words.chat(said, finish_reason="length")

    server.reply = reply
    out, report = tmp_path / "p.sql", tmp_path / "r.json"
    assert ask("--json", report, "--max-tokens", 50, out=str(out)) == 0
    said = capsys.readouterr().out
    assert out.read_text() == "SELECT count(*) FROM shop\nSELECT\nSELECT name FROM\n"
    assert "cut off after 50 tokens: 2 of 3 answers; allow more with --max-tokens" in said
    assert "thoughts without an answer: 1 of 3; their SQL is a bare SELECT" in said
    content = json.loads(report.read_text())
    assert content["summary"]["cut"] == 2
    assert [row["cut"] for row in content["examples"]] == [[], [0], [0]]


def bird_lines(path: str) -> dict[str, str]:
    return dict(json.loads(Path(path).read_text()))


def test_a_json_file_is_written_in_birds_form_and_read_again(
    ask: Command, server: Any, words: Any, questions: Path, databases: Path
) -> None:
    server.reply = saying(words, many="count(*) FROM shop", first="min(id)\tFROM city", Names="'ä'")
    assert ask(out="predict_dev.json") == 0
    mark = "\t----- bird -----\t"
    assert bird_lines("predict_dev.json") == {
        "0": f"SELECT count(*) FROM shop{mark}shop",
        "1": f"SELECT min(id) FROM city{mark}city",
        "2": f"SELECT 'ä'{mark}shop",
    }
    assert ask(out="predict_dev.json") == 0  # a second start replaces what the first one wrote
    judged = ["--gold", str(questions), "--predictions", "predict_dev.json", "--metrics", "ex"]
    judged += ["--databases", str(databases), "--json", "verdicts.json"]
    assert main(["sql", "eval", *judged]) == 0
    assert json.loads(Path("verdicts.json").read_text())["summary"]["ex"] == pytest.approx(2 / 3)


def test_the_flag_decides_the_form_whatever_the_name(ask: Command, server: Any, words: Any) -> None:
    server.reply = saying(words, many="1", first="2", Names="3")
    assert ask("--bird", out="a.sql") == 0
    assert list(bird_lines("a.sql")) == ["0", "1", "2"]
    assert ask("--no-bird", out="b.json") == 0
    assert Path("b.json").read_text() == "SELECT 1\nSELECT 2\nSELECT 3\n"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"index": 1, "prompt": "b"}, "a row has no db_id"),
        ({"index": 0, "prompt": "b", "db_id": "shop"}, "index 0 comes twice"),
    ],
)
def test_what_birds_form_cannot_hold_is_refused_before_anything_is_asked(
    second: dict[str, Any],
    said: str,
    server: Any,
    prompts: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"index": 0, "prompt": "a", "db_id": "shop"}, second]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = ["--endpoint", server.url, "--name", "m", "--out", "p.json"]
    assert main(["sql", "answer", "--prompts", str(prompts), *model]) == 1
    shown = capsys.readouterr().err
    assert f"prompts.jsonl:2: {said}" in shown
    assert server.bodies == []


def test_a_server_that_is_not_there_and_files_without_prompts_say_what_to_do(
    prompts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--endpoint", "http://127.0.0.1:9", "--name", "m", "--out", "p.sql", "--tries", "1"]
    assert main(["sql", "answer", "--prompts", str(prompts), *model]) == 1
    shown = capsys.readouterr().err
    assert "cannot be reached: Connection refused\n  → Check that the server is running" in shown
    prompts.write_text("")
    assert main(["sql", "answer", "--prompts", str(prompts), *model]) == 1
    assert "holds no prompts\n  → Write some: luciola sql prompts" in capsys.readouterr().err


def test_predictions_that_are_not_there_are_said_to_be_missing(
    questions: Path, databases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--gold", str(questions), "--predictions", "gone.sql", "--databases", str(databases)]
    assert main(["sql", "eval", *given]) == 1
    assert "gone.sql: there is no such file\n  → Check the name" in capsys.readouterr().err
