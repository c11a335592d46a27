"""Templates that rewrite earlier turns: each answer is trained behind its prompt at inference."""

from __future__ import annotations

import pytest

from luciola.conversation.render import Renderer
from luciola.types import Conversation, Message
from support import build_tokenizer

THOUGHTS_OF_THE_LAST_ANSWER = """
{%- set found = namespace(last=-1) -%}
{%- for m in messages -%}
{%- if m.role == 'user' -%}{%- set found.last = loop.index0 -%}{%- endif -%}
{%- endfor -%}
{%- for m in messages -%}
{%- set said = m.content.split('</think>')[-1].lstrip('\\n') -%}
{%- set thought = m.content.split('</think>')[0].split('<think>')[-1] if '</think>' in m.content
   else '' -%}
{%- if m.role != 'assistant' -%}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
{%- elif loop.index0 > found.last and (loop.last or thought) -%}
{{ '<|im_start|>assistant\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + said
   + '<|im_end|>\\n' }}
{%- else -%}{{ '<|im_start|>assistant\\n' + said + '<|im_end|>\\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""
"""What Qwen3's template does: thoughts stay only behind the last question, where the last answer
has a block of thoughts even if it is empty."""
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
    tokenizer.chat_template = THOUGHTS_OF_THE_LAST_ANSWER
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
