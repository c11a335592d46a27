"""A conversation as it goes on, is taken back, saved and loaded; and the commands that do so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from luciola.chat.commands import COMMANDS, Outcome, perform
from luciola.chat.session import Session
from luciola.data.readers import read
from luciola.errors import ConfigError, DataError, LuciolaError


def contents(session: Session) -> list[str]:
    return [turn.content for turn in session.messages]


def do(session: Session, line: str) -> Outcome:
    return perform(line, session, lambda _: None)


def test_every_question_is_asked_behind_what_was_said(session: Session) -> None:
    session.system = "be brief"
    session.ask("one")
    told: list[str] = []
    session.ask("two", told.append)
    assert contents(session) == ["be brief", "one", "2 one", "two", "4 two"]
    assert told == ["4 two"]


def test_another_answer_takes_the_place_of_the_last_with_another_seed(
    session: Session, echo: Any
) -> None:
    session.ask("one")
    do(session, "/regenerate")
    assert contents(session) == ["one", "1 one"]
    assert echo.seen[0] == echo.seen[1]
    assert echo.seeds[0] != echo.seeds[1]


def test_nothing_can_be_answered_again_before_a_question(session: Session) -> None:
    with pytest.raises(ConfigError, match="no question yet"):
        do(session, "/regenerate")


def test_an_answer_that_fails_leaves_the_conversation_as_it_was(
    session: Session, echo: Any
) -> None:
    session.ask("one")
    echo.error = LuciolaError("too long")
    with pytest.raises(LuciolaError):
        session.ask("two")
    with pytest.raises(LuciolaError):
        session.regenerate()
    assert contents(session) == ["one", "1 one"]


def test_a_question_that_was_stopped_before_a_word_was_not_asked(
    session: Session, echo: Any
) -> None:
    echo.finish = "interrupted"
    session.ask("one")
    assert session.turns == []


def test_reset_gives_the_first_answer_again(session: Session, echo: Any) -> None:
    session.system = "s"
    session.ask("one")
    do(session, "/reset")
    session.ask("one")
    assert echo.seeds[0] == echo.seeds[1]
    assert contents(session) == ["s", "one", "2 one"]


def test_a_saved_conversation_goes_on_elsewhere(
    session: Session, echo: Any, tmp_path: Path
) -> None:
    do(session, "/system Réponds bref")
    session.ask("un")
    file = tmp_path / "chat.jsonl"
    assert str(file) in do(session, f"/save {file}").words
    other = Session(echo, session.settings)
    do(other, f"/load {file}")
    assert other.messages == session.messages
    assert len(read(str(file)).examples) == 1  # it can be trained on


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "chat.jsonl:1: is not valid JSON"),
        ('{"messages": []}', "chat.jsonl:1: must be"),
        ('{"messages": [{"role": "me", "content": "x"}]}', "chat.jsonl:1: must be"),
        ('{"messages": 1}\n{"messages": 2}', "holds 2 lines"),
        (None, "there is no such file"),
    ],
)
def test_what_cannot_be_loaded_is_told_and_changes_nothing(
    session: Session, tmp_path: Path, text: str | None, told: str
) -> None:
    session.ask("one")
    file = tmp_path / "chat.jsonl"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DataError) as caught:
        do(session, f"/load {file}")
    assert told in str(caught.value)
    assert len(session.turns) == 2


def test_set_changes_settings_for_the_next_answer(session: Session) -> None:
    assert do(session, "/set temperature=0 top_k=4").words.startswith("greedy")
    assert (session.settings.temperature, session.settings.top_k) == (0.0, 4)
    assert "* top_k=4" in do(session, "/set").words


def test_a_setting_that_the_model_has_no_use_for_is_refused(session: Session) -> None:
    with pytest.raises(ConfigError, match="no heads"):
        do(session, "/set beta=2")
    assert session.settings.beta == 0


def test_stop_texts_with_spaces_can_be_set(session: Session) -> None:
    do(session, '/set stop=["the end", "\\n\\n"]  top_k=2')
    assert (session.settings.stop, session.settings.top_k) == (("the end", "\n\n"), 2)


def test_the_system_message_is_shown_set_and_removed(session: Session) -> None:
    assert "none" in do(session, "/system").words
    do(session, "/system  You are a pirate. ")
    assert do(session, "/system").words == "system: You are a pirate."
    do(session, "/system -")
    assert session.messages == []


def test_help_names_every_command_and_quit_ends(session: Session) -> None:
    words = do(session, "/help").words
    assert all(name in words for name in COMMANDS)
    assert do(session, "/quit").is_over


@pytest.mark.parametrize(
    ("line", "meant"), [("/rest", "/reset"), ("/reg", "/regenerate"), ("/xyz", "/help")]
)
def test_an_unknown_command_is_told_with_what_was_meant(
    session: Session, line: str, meant: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        do(session, line)
    assert meant in str(caught.value)
    assert f"/{line}" in str(caught.value)


def test_saving_replaces_what_this_conversation_continues_and_nothing_else(
    session: Session, tmp_path: Path
) -> None:
    """Saved, gone on with, saved again: nothing is lost. Another conversation stays."""
    file = tmp_path / "chat.jsonl"
    session.ask("one")
    do(session, f"/save {file}")
    session.ask("two")
    do(session, f"/save {file}")
    saved = file.read_text()
    assert "two" in saved
    do(session, "/reset")
    session.ask("another")
    with pytest.raises(ConfigError, match="is there already") as caught:
        do(session, f"/save {file}")
    assert "/save FILE --overwrite" in str(caught.value)
    assert file.read_text() == saved
    do(session, f"/save {file} --overwrite")
    assert "another" in file.read_text()
