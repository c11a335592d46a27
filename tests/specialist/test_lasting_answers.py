"""One answer that fails ends no evaluation, and what was answered is never lost."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from luciola.cli.main import main
from luciola.cli.scoring import summary
from luciola.errors import DatabaseError
from luciola.rollout.naive import NaiveSampler
from luciola.specialist.asking import Specialist, Writer
from luciola.specialist.evaluating import Databases, evaluate_model, judge_predictions
from luciola.specialist.local import LocalModel
from luciola.specialist.pairs import Pair
from luciola.sql.asking.cache import AnswerCache
from luciola.sql.asking.model import Sampling
from luciola.sql.execution import judge
from luciola.sql.sandbox import Sandbox
from luciola.types import Request, Sample
from support import write_model, write_shop

GOLD = "SELECT name FROM shop WHERE id = 1"
PAIRS = [Pair(f"Which shop has number {i}?", GOLD) for i in range(6)]


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(write_model(tmp_path / "model", context=512), device="cpu", batch=2)


JOINED = "SELECT T1.name FROM shop AS T1 JOIN city AS T2 ON T1.city_id = T2.id WHERE T2.id = 1"
HOSTILE = {
    "parentheses": ("SELECT " + "(" * 400 + "1" + ")" * 400 + " FROM shop", "invalid"),
    "sub-queries": (GOLD + " AND id = " + "(SELECT " * 900 + "1" + ")" * 900, "invalid"),
    "conditions": (GOLD + " AND id = 1" * 5_000, "invalid"),
    "NUL": (GOLD + "\0", "invalid"),
    "surrogate": ("SELECT '\ud800'", "invalid"),
    "nothing": ("", "invalid"),
    "table": ("SELECT name FROM singer", "table"),
    "column": ("SELECT colour FROM shop", "column"),
    "write": ("DELETE FROM shop", "write"),
    "wrong": ("SELECT name FROM shop", "wrong result"),
    "right": ("SELECT name FROM shop WHERE id = 1.0", "right"),
}


def test_every_kind_of_answer_gets_its_own_verdict(shop: Path) -> None:
    answers = [sql for sql, _ in HOSTILE.values()]
    pairs = [Pair(name, GOLD) for name in HOSTILE]
    found = judge_predictions(pairs, answers, [str(shop)] * len(pairs), workers=2)
    assert [one.outcome for one in found.verdicts] == [kind for _, kind in HOSTILE.values()]
    said = summary(found)
    assert "execution accuracy 9.1% (1 of 11)" in said
    assert "missing table 1, missing column 1, more than reading 1, not accepted 6" in said


class Refusing(Sandbox):
    """A sandbox in which one query meets what a server's parser or a lock may raise."""

    def run(self, sql: str, **more: Any) -> Any:
        if "deep" in sql:
            raise RecursionError("maximum recursion depth exceeded")
        if "locked" in sql:
            raise DatabaseError("shop.db cannot be read: database is locked")
        return super().run(sql, **more)


@pytest.mark.parametrize(
    ("gold", "predicted", "outcome", "reason"),
    [
        (GOLD, "SELECT deep", "invalid", "the query is nested too deeply"),
        ("SELECT deep", GOLD, "not judged", "gold fails: the query is nested too deeply"),
        (GOLD, "SELECT locked", "not judged", "shop.db cannot be read: database is locked"),
        ("SELECT locked", GOLD, "not judged", "shop.db cannot be read: database is locked"),
    ],
)
def test_what_is_not_the_answers_fault_is_not_counted_against_it(
    shop: Path, gold: str, predicted: str, outcome: str, reason: str
) -> None:
    with Refusing(shop) as sandbox:
        found = judge(gold, predicted, shop, sandbox)
    assert (found.outcome, found.reason) == (outcome, reason)


def test_a_question_that_is_too_long_costs_no_other(writer: Writer, shop: Path) -> None:
    pairs = [PAIRS[0], Pair("What " + "of it " * 400, GOLD), PAIRS[1]]
    found = evaluate_model(writer, pairs, Databases(shop))
    assert [one.outcome == "not answered" for one in found.report.verdicts] == [False, True, False]
    assert "the question is too long: with the schema it takes" in found.report.verdicts[1].reason
    assert found.report.judged == 3
    assert "not answered, counted as wrong: 1\n  pair 2: " in summary(found.report)


def test_a_broken_database_costs_only_its_own_questions(writer: Writer, tmp_path: Path) -> None:
    folder = tmp_path / "databases"
    folder.mkdir()
    write_shop(folder / "shop.sqlite")
    (folder / "torn.sqlite").write_bytes(b"SQLite format 3\0 and then nothing" * 40)
    pairs = [Pair("Who?", GOLD, "torn"), Pair("Who?", GOLD, "shop")]
    found = evaluate_model(writer, pairs, Databases(folder))
    assert found.report.verdicts[0].outcome == "not judged"
    assert found.report.judged == 1


class Ending:
    """A sampler that ends after some calls, as Ctrl-C or a lack of memory would."""

    def __init__(self, sampler: NaiveSampler, error: BaseException, *, calls: int) -> None:
        self.sampler, self.error, self.calls = sampler, error, calls
        self.batch = sampler.batch
        self.asked = 0

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        if self.calls == 0:
            raise self.error
        self.calls -= 1
        self.asked += len(requests)
        return self.sampler.sample(requests)


def test_after_ctrl_c_a_second_start_goes_on(writer: Writer, shop: Path, tmp_path: Path) -> None:
    """Batches of two: four of six are kept, and only two are asked again."""
    whole = writer.written([writer.read(shop)] * 6, [pair.question for pair in PAIRS])
    sampler, file = writer.sampler, tmp_path / "answers.jsonl"
    writer.sampler = Ending(sampler, KeyboardInterrupt(), calls=2)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        evaluate_model(writer, PAIRS, Databases(shop), cache=AnswerCache(file))
    assert len(AnswerCache(file)) == 4
    writer.sampler = again = Ending(sampler, KeyboardInterrupt(), calls=9)  # type: ignore[assignment]
    found = evaluate_model(writer, PAIRS, Databases(shop), cache=AnswerCache(file))
    assert (found.kept, again.asked) == (4, 2)
    assert list(found.predictions) == [one.sql for one in whole]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_lack_of_memory_is_told_and_ends_nothing(
    writer: Writer, shop: Path, error: Exception
) -> None:
    writer.sampler = Ending(writer.sampler, error, calls=0)  # type: ignore[assignment]
    found = evaluate_model(writer, PAIRS[:3], Databases(shop))
    assert [one.outcome for one in found.report.verdicts] == ["not answered"] * 3
    assert "out of memory" in found.report.verdicts[0].reason


def test_an_error_of_our_own_keeps_its_trace(writer: Writer, shop: Path) -> None:
    writer.sampler = Ending(writer.sampler, RuntimeError("a bug"), calls=0)  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="a bug"):
        evaluate_model(writer, PAIRS[:1], Databases(shop))


def test_a_model_that_answers_prompts_survives_a_lack_of_memory(tmp_path: Path) -> None:
    model = LocalModel(write_model(tmp_path / "model", context=512), device="cpu")
    model.sampler = Ending(model.sampler, MemoryError(), calls=0)  # type: ignore[assignment]
    answers = model.answer(["a", "b"], Sampling(max_tokens=4))
    assert [one.error for one in answers] == ["out of memory, even by itself"] * 2


def test_another_model_or_a_changed_schema_takes_no_kept_answer(
    writer: Writer, shop: Path, tmp_path: Path
) -> None:
    file = tmp_path / "answers.jsonl"
    assert evaluate_model(writer, PAIRS, Databases(shop), cache=AnswerCache(file)).kept == 0
    assert evaluate_model(writer, PAIRS, Databases(shop), cache=AnswerCache(file)).kept == 6
    with closing(sqlite3.connect(shop)) as connection:
        connection.execute("ALTER TABLE shop ADD COLUMN colour")
    assert evaluate_model(writer, PAIRS, Databases(shop), cache=AnswerCache(file)).kept == 0


def test_a_locked_database_while_asking_ends_no_conversation(writer: Writer, shop: Path) -> None:
    with Specialist(writer, shop) as specialist:
        specialist.sandbox.close()
        shop.unlink()
        reply = specialist.ask("How many?")
    assert isinstance(reply.error, DatabaseError)


class TestTheCommand:
    def write(self, queries: Sequence[str]) -> str:
        rows = [{"question": f"Which {i}?", "query": sql} for i, sql in enumerate(queries)]
        Path("pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return "pairs.jsonl"

    def test_writes_what_failed_and_why(
        self, shop: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A lone surrogate and a NUL do not keep the files from being written."""
        answers = ["SELECT nam FROM shop", "SELECT '\ud800'", GOLD, "SELECT 1", GOLD + "\0"]
        Path("answers.json").write_text(json.dumps(answers))
        pairs = self.write([GOLD] * 4 + [JOINED])
        words = ["sql", "eval", str(shop), "--pairs", pairs, "--predictions", "answers.json"]
        files = ["--out", "each.jsonl", "--json", "report.json", "--report", "report.md"]
        assert main([*words, *files]) == 0
        rows = [json.loads(line) for line in Path("each.jsonl").read_text().splitlines()]
        assert [row["outcome"] for row in rows][:4] == [
            "column",
            "invalid",
            "right",
            "wrong result",
        ]
        whole = json.loads(Path("report.json").read_text())
        assert whole["summary"]["outcomes"]["column"] == 1
        assert whole["summary"]["by_hardness"]["easy"]["count"] == 4
        assert whole["examples"][0]["origin"] == "pairs.jsonl:1"
        page = Path("report.md").read_text()
        assert "## 1 x: names a column that the database lacks" in page
        assert "* reason: the database does not accept the query: no such column: nam" in page
        assert "| easy | 4 | 1 (25%) |" in page
        assert f"| {shop.name} | 5 | 1 (20%) | 1 | 3 | 0 |" in page

    def test_keeps_the_answers_where_nothing_can_be_judged(
        self, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The second start asks nothing again; once all is judged the kept file goes."""
        model = str(write_model(tmp_path / "model", context=512))
        words = ["sql", "eval", str(shop), "--pairs", self.write(["SELECT 1 FROM singer"] * 2)]
        words += ["--model", model, "--device", "cpu", "--out", "each.jsonl"]
        assert main(words) == 1
        said = capsys.readouterr().err
        assert "none of 2 answers could be judged; the first: gold fails: " in said
        assert Path("each.jsonl.answers.jsonl").exists()
        self.write([GOLD] * 2)
        assert main([*words, "--overwrite"]) == 0
        assert "2 of 2 kept from an earlier start" in capsys.readouterr().out
        assert not Path("each.jsonl.answers.jsonl").exists()


def test_answers_that_were_cut_off_are_counted_and_told(
    writer: Writer, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An untrained model writes until it may write no more."""
    pairs = tmp_path / "pairs.jsonl"
    rows = [{"question": pair.question, "query": pair.query} for pair in PAIRS[:3]]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = evaluate_model(writer, PAIRS[:3], Databases(shop))
    assert found.cut == 3
    judge = ["sql", "eval", str(shop), "--pairs", str(pairs), "--device", "cpu"]
    assert main([*judge, "--model", str(tmp_path / "model")]) == 0
    most = writer.sampling.max_new_tokens
    assert f"cut off after {most} tokens: 3 of 3 answers" in capsys.readouterr().out
