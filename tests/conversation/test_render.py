"""Rendering: what is trained, what the prompt is, and that the two agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from luciola.conversation.render import Renderer, truncate
from luciola.conversation.turns import single_turns
from luciola.errors import DataError, TemplateError
from luciola.types import Completion, Conversation, Message, Origin, Text, Tokens

SYSTEM = Message("system", "be kind")
TALK = (
    SYSTEM,
    Message("user", "hi?"),
    Message("assistant", "hello"),
    Message("user", "and\n"),
    Message("assistant", "\n  yes "),
)
STRIPS_THOUGHTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{{ '<think>\n</think>\n' if loop.last and m.role == 'assistant' }}{{ m.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPACED = (
    "{% for m in messages %}{% if m.role == 'user' %}<s>[I] {{ m.content }} [/I]"
    "{% else %} {{ m.content }}</s>{% endif %}{% endfor %}"
)
GLUED = (
    "{% for m in messages %}{% if m.role == 'user' %}<s>[I] {{ m.content }}[/I]"
    "{% else %}{{ m.content }}\n{% endif %}{% endfor %}"
)
"""Without a space before the answer, and without an end mark."""


def trained_text(tokens: Tokens, tokenizer: Any) -> list[str]:
    """The text of each run of trained tokens."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], tokens.trained.astype(int), [0]])))
    runs = edges.reshape(-1, 2)
    return [tokenizer.decode(tokens.ids[start:stop].tolist()) for start, stop in runs]


def test_exactly_the_answers_and_their_end_marks_are_trained(chatml: Any) -> None:
    tokens = Renderer(chatml)(Conversation(TALK))
    assert trained_text(tokens, chatml) == ["hello<|im_end|>", "\n  yes <|im_end|>"]


def test_the_whole_text_is_the_tokenizers_own_up_to_the_last_end_mark(chatml: Any) -> None:
    tokens = Renderer(chatml)(Conversation(TALK))
    turns = [{"role": m.role, "content": m.content} for m in TALK]
    expected = chatml.apply_chat_template(turns, tokenize=False)
    assert chatml.decode(tokens.ids.tolist()) == expected.removesuffix("\n")


@pytest.mark.parametrize("turn", [2, 4])
def test_a_prompt_is_exactly_how_its_training_example_begins(chatml: Any, turn: int) -> None:
    """The answer begins with a line break, which would merge with the prompt's last one."""
    renderer = Renderer(chatml)
    ids = renderer(Conversation(TALK)).ids.tolist()
    prompt = renderer.prompt_ids(TALK[:turn])
    assert ids[: len(prompt)] == prompt
    assert not renderer(Conversation(TALK)).trained[len(prompt) - 1]
    assert renderer(Conversation(TALK)).trained[len(prompt)]


def test_a_pad_token_that_is_the_end_token_does_not_keep_the_end_from_being_trained(
    chatml: Any,
) -> None:
    assert chatml.pad_token_id == chatml.eos_token_id
    tokens = Renderer(chatml)(Conversation(TALK))
    assert tokens.trained[-1]
    assert tokens.ids[-1] == chatml.eos_token_id


def test_messages_after_the_last_answer_are_dropped(chatml: Any) -> None:
    renderer = Renderer(chatml)
    longer = renderer(Conversation((*TALK, Message("user", "bye"))))
    assert longer.ids.tolist() == renderer(Conversation(TALK)).ids.tolist()


def test_a_message_can_say_itself_whether_it_is_trained(chatml: Any) -> None:
    talk = (
        Message("user", "hi", trained=True),
        Message("user", "one", trained=True),
        Message("assistant", "two", trained=False),
        Message("user", "three"),
        Message("assistant", "four"),
    )
    tokens = Renderer(chatml)(Conversation(talk))
    assert trained_text(tokens, chatml) == ["<|im_start|>user\none<|im_end|>", "four<|im_end|>"]


def test_the_default_system_message_is_for_conversations_that_have_none(chatml: Any) -> None:
    renderer = Renderer(chatml, system="be brief")
    assert "be kind" in chatml.decode(renderer(Conversation(TALK)).ids.tolist())
    without = Conversation(TALK[1:])
    text = chatml.decode(renderer(without).ids.tolist())
    assert text.startswith("<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nhi?")
    prompt = renderer.prompt_ids(TALK[1:2])
    assert renderer(without).ids.tolist()[: len(prompt)] == prompt


def test_a_tool_turn_is_passed_through_and_not_trained(chatml: Any) -> None:
    talk = (Message("user", "hi"), Message("tool", "42"), Message("assistant", "it is 42"))
    tokens = Renderer(chatml)(Conversation(talk))
    assert "<|im_start|>tool\n42<|im_end|>" in chatml.decode(tokens.ids.tolist())
    assert trained_text(tokens, chatml) == ["it is 42<|im_end|>"]


def test_a_conversation_without_an_answer_is_named_by_file_and_line(chatml: Any) -> None:
    lonely = Conversation((Message("user", "hi"),), Origin("chats.jsonl", 7))
    with pytest.raises(DataError, match=r"chats\.jsonl:7: .*no assistant turn .*user"):
        Renderer(chatml)(lonely)


def test_an_answer_without_a_question_is_not_trained(chatml: Any) -> None:
    talk = (Message("assistant", "welcome"), Message("user", "hi"), Message("assistant", "yes"))
    tokens = Renderer(chatml)(Conversation(talk))
    assert trained_text(tokens, chatml) == ["yes<|im_end|>"]
    with pytest.raises(DataError, match="no turn that can be trained"):
        Renderer(chatml)(Conversation(talk[:1]))


def test_a_template_that_rewrites_trained_turns_is_refused_with_a_way_out(
    tokenizer_with: Callable[..., Any],
) -> None:
    tokenizer = tokenizer_with(template=STRIPS_THOUGHTS)
    with pytest.raises(TemplateError, match="turn 3 differently once more turns follow") as error:
        Renderer(tokenizer)(Conversation(TALK, Origin("a.jsonl", 3)))
    assert "a.jsonl:3" in error.value.message
    assert "template=" in str(error.value.remedy)
    assert "--single-turns" in str(error.value.remedy)


def test_single_turns_are_rendered_by_a_template_that_rewrites(
    tokenizer_with: Callable[..., Any],
) -> None:
    tokenizer = tokenizer_with(template=STRIPS_THOUGHTS)
    renderer = Renderer(tokenizer)
    first, second = map(renderer, single_turns(Conversation(TALK)))
    assert trained_text(first, tokenizer) == ["<think>\n</think>\nhello<|im_end|>"]
    assert trained_text(second, tokenizer) == ["<think>\n</think>\n\n  yes <|im_end|>"]
    prompt = renderer.prompt_ids(TALK[:4])
    assert second.ids.tolist()[: len(prompt)] == prompt


def test_an_answer_that_does_not_continue_its_prompt_is_refused(
    tokenizer_with: Callable[..., Any],
) -> None:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: <think>{% endif %}"
    )
    with pytest.raises(TemplateError, match="prompts for an answer with '<think>'"):
        Renderer(tokenizer_with(template=template))(Conversation(TALK))


def test_without_a_chat_template_conversations_are_refused_and_texts_are_not(
    tokenizer_with: Callable[..., Any],
) -> None:
    renderer = Renderer(tokenizer_with(template=None))
    with pytest.raises(TemplateError, match="has no chat template") as error:
        renderer(Conversation(TALK))
    assert "template=" in str(error.value.remedy)
    assert renderer(Text("hi")).trained.sum() == 1


def test_what_the_template_says_against_a_conversation_reaches_the_user(
    tokenizer_with: Callable[..., Any],
) -> None:
    template = "{{ raise_exception('only two turns') }}"
    with pytest.raises(TemplateError, match=r"b\.jsonl:2: .*system, user.*only two turns"):
        Renderer(tokenizer_with(template=template))(Conversation(TALK, Origin("b.jsonl", 2)))


def test_a_template_without_an_end_mark_has_its_white_space_trained(
    tokenizer_with: Callable[..., Any],
) -> None:
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    tokenizer = tokenizer_with(template=template)
    tokens = Renderer(tokenizer)(Conversation(TALK[:3]))
    assert trained_text(tokens, tokenizer) == ["hello\n\n"]


def test_a_begin_token_is_never_doubled(tokenizer_with: Callable[..., Any]) -> None:
    template = "<s>{% for m in messages %}{{ m.role }}{{ m.content }}</s>{% endfor %}"
    tokenizer = tokenizer_with(template=template, begin=True)
    renderer = Renderer(tokenizer)
    begin = tokenizer.bos_token_id
    talk = (Message("user", "hi"), Message("assistant", "yes"))
    for example in (Conversation(talk), Completion("hi", "yes"), Text("hi"), Text("<s>hi")):
        ids = renderer(example).ids.tolist()
        assert ids[0] == begin
        assert ids.count(begin) == 1
    assert renderer.prompt_ids(talk[:1]).count(begin) == 1
    assert renderer.text_prompt_ids("hi").count(begin) == 1


@pytest.mark.parametrize(
    ("template", "whole", "trained"),
    [
        (
            SPACED,
            "<s>[I] hi [/I] yes</s><s>[I] hi [/I] yes hi</s>",
            ["▁yes", "</s>", "▁yes", "▁hi", "</s>"],
        ),
        (GLUED, "<s>[I] hi[/I]yes\n<s>[I] hi[/I]yes hi\n", ["yes", "\n", "yes", "▁hi", "\n"]),
    ],
)
def test_a_tokenizer_that_adds_spaces_reads_an_answer_as_part_of_the_whole(
    spaced: Callable[[str], Any], template: str, whole: str, trained: list[str]
) -> None:
    """Alone, 'yes' would become '▁yes'; where it follows its prompt without a space it is 'yes'."""
    tokenizer = spaced(template)
    talk = (
        Message("user", "hi"),
        Message("assistant", "yes"),
        Message("user", "hi"),
        Message("assistant", "yes hi"),
    )
    tokens = Renderer(tokenizer)(Conversation(talk))
    assert tokens.ids.tolist() == tokenizer(whole, add_special_tokens=False)["input_ids"]
    kept = tokenizer.convert_ids_to_tokens(tokens.ids[tokens.trained].tolist())
    assert kept == trained


def test_a_completion_and_its_end_token_are_trained_and_the_prompt_is_not(chatml: Any) -> None:
    renderer = Renderer(chatml)
    tokens = renderer(Completion("hi\n", "\nhi"))
    assert trained_text(tokens, chatml) == ["\nhi<|im_end|>"]
    prompt = renderer.text_prompt_ids("hi\n")
    assert tokens.ids.tolist()[: len(prompt)] == prompt
    already = renderer(Completion("hi\n", "\nhi<|im_end|>"))
    assert already.ids.tolist() == tokens.ids.tolist()


def test_text_is_trained_whole_but_for_its_first_token(chatml: Any) -> None:
    tokens = Renderer(chatml)(Text("hi hi"))
    assert chatml.convert_ids_to_tokens(tokens.ids.tolist()) == ["hi", "Ġhi", "<|im_end|>"]
    assert tokens.trained.tolist() == [False, True, True]
    assert tokens.ids.dtype == np.int32


def test_conversations_with_one_system_message_share_a_prefix(chatml: Any) -> None:
    renderer = Renderer(chatml)
    one = renderer(Conversation(TALK))
    other = renderer(
        Conversation((SYSTEM, Message("user", "what?"), Message("assistant", "that.")))
    )
    shared = one.ids[: one.prefix].tolist()
    assert chatml.decode(shared) == "<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\n"
    assert other.ids[: other.prefix].tolist() == shared
    assert not one.trained[: one.prefix].any()


def test_a_prefix_that_a_conversation_does_not_have_is_not_claimed(chatml: Any) -> None:
    """The user's line break merges with the one before it: the prefix's last token differs."""
    renderer = Renderer(chatml)
    tokens = renderer(Conversation((SYSTEM, Message("user", "\nhi"), Message("assistant", "a"))))
    assert tokens.prefix == 0


def test_cutting_keeps_the_beginning_and_says_so(chatml: Any) -> None:
    whole = Renderer(chatml)(Conversation(TALK))
    cut, was_cut = truncate(whole, whole.prefix - 1)
    assert was_cut
    assert cut.ids.tolist() == whole.ids[: whole.prefix - 1].tolist()
    assert cut.prefix == len(cut)
    assert not cut.trained.any()
    assert truncate(whole, len(whole)) == (whole, False)
    assert truncate(whole, 0) == (whole, False)
    assert len(Renderer(chatml, max_length=9)(Conversation(TALK))) == 9


def test_the_end_mark_of_the_template_ends_an_answer_besides_the_tokenizers(
    tokenizer_with: Callable[..., Any],
) -> None:
    template = "{% for m in messages %}{{ m.role }} {{ m.content }}</s>\n{% endfor %}"
    tokenizer = tokenizer_with(template=template)
    ids = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("</s>")]
    assert Renderer(tokenizer).end_ids() == sorted(ids)
    assert Renderer(tokenizer_with(template=None)).end_ids() == ids[:1]


def test_a_template_file_takes_the_place_of_the_tokenizers_own(chatml: Any, tmp_path: Path) -> None:
    file = tmp_path / "plain.jinja"
    file.write_text("{% for m in messages %}[{{ m.content }}]</s>{% endfor %}")
    tokens = Renderer(chatml, template=str(file))(Conversation(TALK[:3]))
    assert chatml.decode(tokens.ids.tolist()) == "[be kind]</s>[hi?]</s>[hello]</s>"


def test_a_template_file_that_is_missing_or_no_template_is_named(
    chatml: Any, tmp_path: Path
) -> None:
    with pytest.raises(TemplateError, match=r"none\.jinja: cannot be read"):
        Renderer(chatml, template=str(tmp_path / "none.jinja"))
    broken = tmp_path / "broken.jinja"
    broken.write_text("fine\n{% for m in messages %}\n")
    with pytest.raises(TemplateError, match=r"broken\.jinja:2: not a Jinja template"):
        Renderer(chatml, template=str(broken))


@pytest.mark.model
def test_the_demo_models_prompt_is_how_its_training_examples_begin(smollm2: Any) -> None:
    renderer = Renderer(smollm2)
    tokens = renderer(Conversation(TALK[1:]))
    for turn in (1, 3):
        prompt = renderer.prompt_ids(TALK[1 : turn + 1])
        assert tokens.ids.tolist()[: len(prompt)] == prompt
    assert trained_text(tokens, smollm2) == ["hello<|im_end|>", "\n  yes <|im_end|>"]
    assert renderer.end_ids() == [2]
    assert tokens.prefix == 24  # its default system message
