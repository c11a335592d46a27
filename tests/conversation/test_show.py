"""The view of trained and untrained tokens."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from luciola.conversation.render import Renderer
from luciola.conversation.show import RESET, TRAINED, UNTRAINED, cells, legend, show
from luciola.types import Conversation, Message, Origin, Tokens

TALK = Conversation((Message("user", "hi\thi"), Message("assistant", "ll ö\n")), Origin("c", 3))


def test_brackets_stand_around_what_is_trained_and_white_space_is_visible(chatml: Any) -> None:
    tokens = Renderer(chatml)(TALK)
    marked, counts = show(tokens, chatml, colour=False).rsplit("\n", 1)
    assert marked == (
        "<|im_start|>user↵\nhi⇥hi<|im_end|>↵\n<|im_start|>assistant↵\n⟦ll·ö↵\n<|im_end|>⟧"
    )
    trained = int(tokens.trained.sum())
    assert counts.startswith(f"c:3: {len(tokens)} tokens, {trained} trained,")


def test_colours_change_with_every_token_and_say_what_is_trained(chatml: Any) -> None:
    ids = chatml("hihi hi", add_special_tokens=False)["input_ids"]
    tokens = Tokens(np.array(ids, np.int32), np.array([False, True, True]))
    first = show(tokens, chatml, colour=True).splitlines()[0]
    assert first == (f"{UNTRAINED[0]}hi{RESET}{TRAINED[1]}hi{RESET}{TRAINED[0]}·hi{RESET}")


def test_without_its_colours_the_text_is_all_there(chatml: Any) -> None:
    tokens = Renderer(chatml)(TALK)
    plain = re.sub("\x1b\\[[0-9;]*m", "", show(tokens, chatml, colour=True))
    assert plain == show(tokens, chatml, colour=False).replace("⟦", "").replace("⟧", "")


def test_a_character_of_several_tokens_is_shown_once(chatml: Any) -> None:
    ids = chatml("hiö€", add_special_tokens=False)["input_ids"]
    assert len(ids) == 6
    tokens = Tokens(np.array(ids, np.int32), np.zeros(6, np.bool_))
    assert [cell.text for cell in cells(tokens, chatml)] == ["hi", "ö", "€"]


def test_half_a_character_at_the_end_is_shown_as_broken(chatml: Any) -> None:
    ids = chatml("hi€", add_special_tokens=False)["input_ids"][:-1]
    tokens = Tokens(np.array(ids, np.int32), np.zeros(len(ids), np.bool_))
    assert "".join(cell.text for cell in cells(tokens, chatml)).startswith("hi\ufffd")


def test_a_token_keeps_the_space_at_its_front(spaced: Any) -> None:
    tokenizer = spaced("")
    ids = tokenizer("hi yes", add_special_tokens=False)["input_ids"]
    tokens = Tokens(np.array(ids, np.int32), np.zeros(2, np.bool_))
    assert [cell.text for cell in cells(tokens, tokenizer)] == ["hi", " yes"]


@pytest.mark.parametrize("colour", [True, False])
def test_the_legend_shows_both_marks(colour: bool) -> None:
    text = legend(colour=colour)
    marks = (TRAINED[0], UNTRAINED[0]) if colour else ("⟦trained⟧", "not·trained")
    assert all(mark in text for mark in marks)
