"""Templates that rewrite earlier turns: each answer is trained behind its prompt at inference."""

from __future__ import annotations

import pytest

from luciola.conversation.answers import AnswerRenderer, Lengths
from luciola.conversation.render import Renderer
from luciola.data.dialogues import Dialogue, DialogueRenderer, read_dialogue
from luciola.errors import TemplateError
from luciola.types import Conversation, Message, Origin
from support import build_tokenizer
from thinking_template import THINKING_TEMPLATE

TALK = (
    Message("user", "one"),
    Message("assistant", "<think>\nhm\n</think>\n\nfirst"),
    Message("user", "two"),
    Message("assistant", "second"),
    Message("user", "three"),
    Message("assistant", "<think>\nwell\n</think>\n\nthird"),
)


@pytest.fixture
def renderer() -> Renderer:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = THINKING_TEMPLATE
    return Renderer(tokenizer)


def test_each_answer_is_trained_once_behind_the_prompt_that_the_model_sees(
    renderer: Renderer,
) -> None:
    samples = renderer.render_all(Conversation(TALK))
    assert len(samples) == 3
    for sample, end, thought in zip(samples, (1, 3, 5), ("hm", "", "well"), strict=True):
        prompt = renderer.prompt_ids(TALK[:end])
        assert list(sample.ids[: len(prompt)]) == prompt
        assert not sample.trained[: len(prompt)].any()
        assert sample.trained[len(prompt) :].all()
        said = renderer.tokenizer.decode(sample.ids[sample.trained])
        answer = TALK[end].content.split("\n")[-1]
        assert said.startswith("<think>")
        assert thought in said
        assert answer in said


def test_turns_that_stay_as_they_are_share_one_example(renderer: Renderer) -> None:
    """Two answers behind the last question, as around a tool's result, keep their thoughts."""
    thinking = "<think>\na\n</think>\n\n"
    talk = (*TALK[:3], Message("assistant", thinking + "call"), Message("tool", "result"))
    samples = renderer.render_all(Conversation((*talk, Message("assistant", thinking + "done"))))
    assert len(samples) == 2
    last = renderer.tokenizer.decode(samples[1].ids[samples[1].trained])
    assert "call" in last
    assert "done" in last


def test_a_template_that_keeps_its_turns_gives_one_example() -> None:
    renderer = Renderer(build_tokenizer())
    (one,) = renderer.render_all(Conversation(TALK))
    assert list(one.ids) == list(renderer.render(Conversation(TALK)).ids)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize(
    "prompt",
    [
        TALK[:5],
        TALK[:3],
        (*TALK[:1], Message("assistant", "look"), Message("tool", "a"), Message("tool", "b")),
        (*TALK[:1], Message("assistant", "<think>\nx\n</think>\n\nlook"), Message("tool", "a")),
    ],
)
def test_answers_to_compare_stand_behind_the_prompt_of_inference(
    prompt: tuple[Message, ...], closed: bool, renderer: Renderer
) -> None:
    """What preference methods and reward models read; earlier thoughts are gone in both."""
    answers = ("<think>\nwell\n</think>\n\ngood", "bad")
    render = AnswerRenderer(renderer, Lengths(999, 500), closed=closed)
    expected = renderer.prompt_ids(prompt)
    for tokens, said in zip(render(prompt, answers), ("well", "bad"), strict=True):
        assert list(tokens.ids[: tokens.prefix]) == expected
        assert tokens.trained[len(expected) :].all()
        assert not tokens.trained[: len(expected)].any()
        answer = renderer.tokenizer.decode(tokens.ids[tokens.prefix :])
        assert answer.startswith("<think>")
        assert said in answer


def test_a_logged_dialogue_that_the_template_rewrites_is_refused_with_a_way_out(
    renderer: Renderer,
) -> None:
    """It has one reward for all of its answers, so it cannot become several examples."""
    render = DialogueRenderer(renderer, 999, "right")
    with pytest.raises(TemplateError, match="renders turn 2 differently") as caught:
        render(Dialogue((), TALK, 1.0, Origin("d.jsonl", 3)))
    assert "log each answer as a row of its own" in str(caught.value.remedy)
    assert "d.jsonl:3" in caught.value.message or "line 3" in caught.value.message


def test_one_logged_answer_behind_earlier_turns_is_its_only_action(renderer: Renderer) -> None:
    row = {
        "prompt": [{"role": turn.role, "content": turn.content} for turn in TALK[:5]],
        "output": TALK[5].content,
        "reward": 1.0,
    }
    tokens = DialogueRenderer(renderer, 999, "right")(read_dialogue(row, Origin()))
    expected = renderer.prompt_ids(TALK[:5])
    assert list(tokens.ids[: len(expected)]) == expected
    assert not tokens.trained[: len(expected)].any()
    assert tokens.trained[len(expected) :].all()
