"""Asking with a model that has learned nothing: the way from a question to a reply."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from luciola.config.sql import SqlConfig
from luciola.errors import ConfigError, SqlError
from luciola.models.answering import best_device
from luciola.specialist.asking import Specialist, Writer
from luciola.specialist.completions import prompt_room
from luciola.specialist.expertise import Expertise
from luciola.specialist.pairs import read_pairs
from luciola.specialist.training import maker
from support import write_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", context=512)


def test_what_the_model_wrote_never_raises_and_is_kept(model: Path, shop: Path) -> None:
    """Random weights write no SQL; the quotes of the question reach nothing but the prompt."""
    with Specialist(Writer(model, device="cpu"), shop) as specialist:
        for question in ("What's in 'Bath'?", 'The "best" shop?', "'; DROP TABLE shop; --"):
            reply = specialist.ask(question)
            assert reply.result is None
            assert isinstance(reply.error, SqlError)
            assert reply.seconds > 0
        reading = specialist.reading
    assert [m.column for m in reading.mentions("Where is O'Fallon?")] == ["name"]


def test_a_runs_folder_is_asked_as_its_model_was_taught(model: Path, shop: Path) -> None:
    Expertise(database=str(shop), types=True, mentions=False).save(model)
    Path("run").mkdir()
    shutil.move(model, "run/model")
    writer = Writer("run", device="cpu")
    assert writer.expertise.types
    assert "INTEGER" in writer.read(shop).text.upper()
    assert writer.read(shop).mentions("Where is O'Fallon?") == ()


def test_a_small_context_is_shared_between_schema_question_and_answer(
    tmp_path: Path, shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of 128 tokens half are the schema's; the tables that fit the question best are shown."""
    writer = Writer(write_model(tmp_path / "small", context=128), device="cpu")
    assert writer.sampling.max_new_tokens == 32
    with caplog.at_level(logging.WARNING, logger="luciola"):
        reading = writer.read(shop)
    assert reading.budget == 64
    assert f"the schema of {shop} has" in caplog.text
    assert "and 64 fit" in caplog.text
    shown = reading.schema_for("How many cities are there?", ())
    assert reading.count_tokens(shown) <= 64
    assert "city" in shown


def test_another_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="device must be auto, cpu or cuda, got 'gpu'"):
        best_device("gpu")


def test_a_representation_is_asked_with_the_very_tokens_that_were_taught(
    tmp_path: Path, shop: Path
) -> None:
    """From the recipe through the model's folder to the writer, raw text and chat alike."""
    question, query = "How many shops?", "SELECT COUNT(*) FROM shop"
    Path("pairs.jsonl").write_text(json.dumps({"question": question, "query": query}) + "\n")
    for number, more in enumerate(({}, {"chat": True}, {"strip_suffix": True, "rule": True})):
        folder = write_model(tmp_path / f"model{number}", context=1024)
        config = SqlConfig(
            model=str(folder), database=str(shop), pairs="pairs.jsonl", prompt="CR_P", **more
        )
        taught = Expertise.of(config, database=str(shop), room=prompt_room(config.max_length))
        taught.save(folder)
        writer = Writer(folder, device="cpu")
        examples = maker(taught)(config, read_pairs("pairs.jsonl"), taught, writer.tokenizer)
        tokens = examples.source.tokens(0, 0)
        asked = writer.prompt_ids(writer.read(shop), question)
        assert tokens.ids[~tokens.trained].tolist() == asked
        text = writer.tokenizer.decode(asked)
        assert ("<user>" in text, "no explanation" in text) == ("chat" in more, "rule" in more)


def test_a_question_that_does_not_fit_has_no_sql_and_the_others_do(
    tmp_path: Path, shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_model(tmp_path / "small", context=512)
    Expertise(prompt="TR_P").save(folder)
    writer = Writer(folder, device="cpu")
    reading = writer.read(shop)
    written = writer.write([reading] * 3, ["How many?", "What " + "of it " * 100, "Who?"])
    assert [bool(sql) for sql in written] == [True, False, True]
    assert "in TR_P, however little of the schema is shown, and 384 fit" in caplog.text
    assert "max_length" in caplog.text
