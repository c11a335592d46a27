"""What a model reads of a representation, token by token, while it learns and when it is asked."""

from __future__ import annotations

import pytest

from luciola.conversation.render import Renderer
from luciola.specialist.expertise import Expertise
from luciola.specialist.form import Form, UnusableError
from luciola.types import Origin

PROMPT = "/* Answer the following: How many? */\nSELECT "
QUERY = "SELECT count(*)\n  FROM shop"


def spelled(renderer: Renderer, ids: list[int]) -> list[str]:
    return list(renderer.tokenizer.convert_ids_to_tokens(ids))


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("strip_suffix", [False, True])
def test_the_trained_prompt_has_the_tokens_that_asking_has(
    renderer: Renderer, chat: bool, strip_suffix: bool
) -> None:
    """Trained is everything behind them, to the end token, and nothing of them."""
    form = Form(Expertise(prompt="CR_P", chat=chat, strip_suffix=strip_suffix), renderer)
    tokens = renderer.render(form.example(PROMPT, QUERY))
    asked = form.ids(PROMPT)
    assert tokens.ids[: len(asked)].tolist() == asked
    assert tokens.trained.tolist() == [False] * len(asked) + [True] * (len(tokens) - len(asked))
    answer = renderer.tokenizer.decode(tokens.ids[len(asked) :].tolist())
    blank = " " if strip_suffix and not chat else ""
    assert answer == f"{blank}count(*) FROM shop<end>"


def test_the_blank_is_the_prompts_last_token_unless_it_is_stripped(renderer: Renderer) -> None:
    """`SELECT `, `c` as published; `SELECT`, ` c` as in ordinary text."""
    published = Form(Expertise(prompt="CR_P"), renderer)
    stripped = Form(Expertise(prompt="CR_P", strip_suffix=True), renderer)
    whole = spelled(renderer, renderer.render(published.example(PROMPT, QUERY)).ids.tolist())
    at = len(published.ids(PROMPT))
    assert whole[at - 2 : at + 2] == ["T", "Ġ", "c", "o"]
    whole = spelled(renderer, renderer.render(stripped.example(PROMPT, QUERY)).ids.tolist())
    at = len(stripped.ids(PROMPT))
    assert whole[at - 1 : at + 2] == ["T", "Ġc", "o"]
    plain = renderer.text_prompt_ids(PROMPT + "count(*) FROM shop")
    assert whole[:-1] == spelled(renderer, plain)


def test_a_chats_prompt_stands_in_the_template(renderer: Renderer) -> None:
    form = Form(Expertise(prompt="CR_P", chat=True), renderer)
    assert renderer.tokenizer.decode(form.ids(PROMPT)) == f"<user>{PROMPT}<end><assistant>"


@pytest.mark.parametrize(
    ("chat", "answer", "sql"),
    [
        (False, "count(*) FROM shop", "SELECT count(*) FROM shop"),
        (False, " name\nFROM shop; SELECT 2", "SELECT name FROM shop"),
        (False, "(SELECT max(id) FROM shop)", "SELECT (SELECT max(id) FROM shop)"),
        (False, "SELECT name FROM shop", "SELECT name FROM shop"),
        (True, "count(*) FROM shop", "SELECT count(*) FROM shop"),
        (True, "```sql\nSELECT 1\n```", "SELECT 1"),
    ],
)
def test_an_answer_goes_on_from_select(
    renderer: Renderer, chat: bool, answer: str, sql: str
) -> None:
    """Raw text always does; in a chat a model may begin anew."""
    assert Form(Expertise(prompt="CR_P", chat=chat), renderer).sql(answer) == sql


def test_a_query_that_does_not_go_on_from_select_is_refused(renderer: Renderer) -> None:
    """Its first seven characters would be lost."""
    form = Form(Expertise(prompt="CR_P"), renderer)
    said = r"pairs\.jsonl:3: the prompt ends in SELECT, and this query begins with 'WITH a AS"
    with pytest.raises(UnusableError, match=said):
        form.example(PROMPT, "WITH a AS (SELECT 1) SELECT * FROM a", Origin("pairs.jsonl", 3))
