"""A conversation under a template that drops earlier thoughts, as Qwen3's does."""

from __future__ import annotations

from pathlib import Path

import pytest

from luciola.chat.commands import perform
from luciola.chat.loading import Wanted, load_chat
from luciola.chat.model import ChatModel
from luciola.chat.session import Session
from luciola.chat.settings import ChatSettings, changed
from luciola.types import Message
from support import write_model
from thinking_template import THINKING_TEMPLATE

GREEDY = changed(ChatSettings(max_new_tokens=8), ["temperature=0"])
THOUGHT = "<think>\nhm\n</think>\n\nfirst"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("thinking")
    (place / "thinking.jinja").write_text(THINKING_TEMPLATE)
    write_model(place / "model", context=512)
    return place


def load(folder: Path) -> ChatModel:
    template = str(folder / "thinking.jinja")
    return load_chat(Wanted(str(folder / "model"), device="cpu", template=template))[0]


def nothing(_: str) -> None: ...


def test_each_turn_is_answered_as_a_model_without_a_memory_of_its_tokens_answers_it(
    folder: Path, tmp_path: Path
) -> None:
    """The prompt loses earlier thoughts, so that what is remembered of its beginning ends sooner.
    Turns, another answer, and a saved conversation that is gone on with.
    """
    session = Session(load(folder), GREEDY)
    session.ask("one")
    session.turns[-1] = Message("assistant", THOUGHT)  # as a model that thinks would have said
    asked = [Message("user", "one"), Message("assistant", THOUGHT), Message("user", "two")]

    second = session.ask("two").text
    assert second == load(folder).answer(asked, GREEDY).text
    reply = perform("/regenerate", session, nothing).reply
    assert reply is not None
    assert reply.text == second
    assert [turn.content for turn in session.turns] == ["one", THOUGHT, "two", second]

    file = tmp_path / "chat.jsonl"
    perform(f"/save {file}", session, nothing)
    other = Session(load(folder), GREEDY)
    perform(f"/load {file}", other, nothing)
    assert other.turns == session.turns
    assert other.ask("three").text == session.ask("three").text


def test_thoughts_are_dropped_from_the_prompt_but_not_from_the_conversation(folder: Path) -> None:
    chat = load(folder)
    turns = [Message("user", "one"), Message("assistant", THOUGHT)]
    decode = chat.tokenizer.decode
    assert "hm" not in decode(chat.renderer.prompt_ids([*turns, Message("user", "two")]))
    results = [*turns, Message("tool", "a"), Message("tool", "b")]
    assert "hm" in decode(chat.renderer.prompt_ids(results))
