"""Firefly's 23 templates: text, tokens, masks, and what becomes of bad input."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from luciola.conversation.answers import AnswerRenderer, Lengths
from luciola.conversation.firefly import segments as segments_module
from luciola.conversation.firefly.formats import FORMATS
from luciola.conversation.firefly.segments import FireflyTemplate
from luciola.conversation.firefly.source import firefly_name, jinja_source
from luciola.conversation.render import Renderer
from luciola.data.readers.firefly import example as read_row
from luciola.data.readers.record import Record
from luciola.errors import TemplateError
from luciola.types import Conversation, Message, Origin, Tokens
from reference_values import Source, sources

NAMES = sorted(FORMATS)
TURNS = ({"human": "  he is? ", "assistant": " Hello! \n"}, {"human": "2+2?", "assistant": "4"})
IDS = {"gMASK": "[gMASK]", "sop": "sop", "SYSTEM": "<|system|>", "USER": "<|user|>"}
IDS |= {"ASSISTANT": "<|assistant|>", "EOS": "</s>"}


@pytest.fixture(params=sources())
def read(request: pytest.FixtureRequest) -> Source:
    """Reads what Firefly itself computed."""
    return request.param  # type: ignore[no-any-return]


def conversation(turns: Any, system: str | None = None) -> Conversation:
    """A row in Firefly's format as the reader gives it."""
    values = {"conversation": list(turns)} | ({} if system is None else {"system": system})
    return read_row(Record(values, Origin("chats.jsonl", 1)))


def written(tokens: Tokens, tokenizer: Any) -> list[tuple[bool, str]]:
    """Runs of trained and of untrained tokens, as text."""
    pairs = zip(tokens.trained.tolist(), tokens.ids.tolist(), strict=True)
    return [
        (trained, tokenizer.decode([i for _, i in run], clean_up_tokenization_spaces=False))
        for trained, run in groupby(pairs, key=lambda pair: pair[0])
    ]


def test_the_23_templates_are_there() -> None:
    assert len(FORMATS) == 23


def test_texts_and_masks_are_those_of_the_reference_cases(read: Source, every_family: Any) -> None:
    reference = read("rl/sft_templates_firefly")
    assert len(reference["cases"]) >= 24
    for case in reference["cases"]:
        row = conversation(reference["conversation"], case["system"])
        template = FireflyTemplate(every_family, case["template"])
        found = template.segments(row.messages)
        assert "".join(map(str, found)) == case["text"]
        runs = groupby(found, key=lambda segment: segment.trained)
        text = [{"trained": int(t), "text": "".join(map(str, run))} for t, run in runs]
        assert text == case["segments"]


def test_tokens_are_those_of_the_reference_segments_one_by_one(
    read: Source, every_family: Any
) -> None:
    reference = read("rl/sft_templates_firefly")
    for case in reference["cases"]:
        row = conversation(reference["conversation"], case["system"])
        tokens = Renderer(every_family, template=f"firefly:{case['template']}").render(row)
        assert every_family.decode(tokens.ids, skip_special_tokens=False) == re.sub(
            "⟦(.+?)⟧", lambda match: IDS[match.group(1)], case["text"]
        )
        masks = [trained for trained, _ in written(tokens, every_family)]
        assert masks == [bool(segment["trained"]) for segment in case["segments"]]


def test_the_formats_are_those_of_the_reference(read: Source) -> None:
    """Of a default system message, which is another's text, this checkout keeps a hash."""
    for name, known in read("rl/sft_templates_firefly")["templates"].items():
        assert FORMATS[name].stop == known["stop_word"]
        default = FORMATS[name].default
        if "system" in known:
            assert default == known["system"]
        else:
            digest = default and hashlib.sha256(default.encode()).hexdigest()
            assert digest == known["system_sha256"], name


TEXTS = {
    "orion": "<s>|Human: he is?\n\nAssistant: </s>|Hello!</s>|Human: 2+2?\n\nAssistant: </s>|4</s>",
    "chatglm2": "⟦gMASK⟧⟦sop⟧|[Round 1]\n\n问：he is?\n\n答：|Hello!⟦EOS⟧|"
    "[Round 2]\n\n问：2+2?\n\n答：|4⟦EOS⟧",
    "ziya2": "<human>:he is? <bot>:|Hello!</s>|<human>:2+2? <bot>:|4</s>",
    "xverse": "Human: he is?\n\nAssistant: |Hello!<|endoftext|>|Human: 2+2?\n\nAssistant: |"
    "4<|endoftext|>",
    "minicpm3": "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n|"
    "<|im_start|>user\nhe is?<|im_end|>\n<|im_start|>assistant\n|Hello!<|im_end|>\n|"
    "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n|4<|im_end|>\n",
    "mixtral": "<s>|[INST]he is?[/INST]|Hello!</s>|[INST]2+2?[/INST]|4</s>",
    "baichuan": "<reserved_102>he is?<reserved_103>|Hello!</s>|<reserved_102>2+2?<reserved_103>|"
    "4</s>",
    "baichuan2": "<reserved_106>he is?<reserved_107>|Hello!</s>|<reserved_106>2+2?<reserved_107>|"
    "4</s>",
    "vicuna": "A chat between a curious user and an artificial intelligence assistant. The "
    "assistant gives helpful, detailed, and polite answers to the user's questions.\n|"
    "USER: he is? ASSISTANT:|Hello!</s>|USER: 2+2? ASSISTANT:|4</s>",
    "phi3": "<|user|>\nhe is?<|end|>\n<|assistant|>|Hello!<|end|>\n|"
    "<|user|>\n2+2?<|end|>\n<|assistant|>|4<|end|>\n",
}
"""Each segment of TURNS without a system message, those of answers trained. These stand beside the
reference cases, which leave them out; llama2's default is long and looked at apart."""


@pytest.mark.parametrize("name", TEXTS)
def test_every_segment_of_the_other_templates(name: str, every_family: Any) -> None:
    template = FireflyTemplate(every_family, name)
    segments = template.segments(conversation(TURNS).messages)
    assert "|".join(map(str, segments)) == TEXTS[name]
    assert [s.trained for s in segments[-4:]] == [False, True, False, True]
    assert not any(s.trained for s in segments[:-4])


def test_llama2_puts_its_system_message_before_the_first_question(every_family: Any) -> None:
    template = FireflyTemplate(every_family, "llama2")
    own, given = (template.segments(conversation(TURNS, system).messages) for system in (None, "S"))
    assert str(own[0]).startswith("<<SYS>>\nYou are a helpful, respectful and honest assistant. ")
    assert str(own[0]).endswith("please don't share false information.\n<</SYS>>\n\n")
    assert "".join(map(str, given)) == (
        "<<SYS>>\nS\n<</SYS>>\n\n[INST]he is?[/INST]Hello! </s>[INST]2+2?[/INST]4 </s>"
    )


def test_the_reference_cases_and_these_are_all(read: Source) -> None:
    known = {case["template"] for case in read("rl/sft_templates_firefly")["cases"]}
    assert known | TEXTS.keys() | {"llama2"} == FORMATS.keys()


class Characters:
    """One token per character."""

    eos_token = "</s>"
    eos_token_id = 0
    is_fast = False
    chat_template = None

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [ord(character) for character in text]


def test_cutting_is_that_of_the_reference(read: Source) -> None:
    case = read("rl/sft_collator_firefly")
    only = {"system": "S", "conversation": [{"human": "a", "assistant": "b"}]}
    renderer = Renderer(Characters(), template="firefly:qwen", max_length=case["max_seq_length"])
    for index, row in enumerate(case.get("rows", [only])):
        tokens = renderer(conversation(row["conversation"], row["system"]))
        count = sum(case["attention_mask"][index])
        labels = [i if t else -100 for i, t in zip(tokens.ids, tokens.trained, strict=True)]
        assert tokens.ids.tolist() == case["input_ids"][index][:count]
        assert labels == case["labels"][index][:count]


def test_comparisons_are_those_of_the_reference(read: Source) -> None:
    reference = read("rl/dpo_firefly")
    prompt = [Message(t["role"], t["content"]) for t in reference["record"]["chosen"][:-1]]
    answers = [reference["record"][side][-1]["content"] for side in ("chosen", "rejected")]
    for case in reference["cases"]:
        lengths = Lengths(case["max_seq_length"], case["max_prompt_length"])
        renderer = Renderer(Characters(), template="firefly:qwen")
        render = AnswerRenderer(renderer, lengths, closed=False)
        for side, tokens in zip(
            ("chosen", "rejected"), render(tuple(prompt), answers), strict=True
        ):
            assert "".join(map(chr, tokens.ids)) == case[side]
            prefix = case[f"{side}_labels_masked_prefix"]
            assert tokens.prefix == prefix
            assert tokens.trained.tolist() == [i >= prefix for i in range(len(tokens))]


def test_an_answer_that_is_compared_keeps_its_white_space_and_its_prompt_does_not() -> None:
    renderer = Renderer(Characters(), template="firefly:yi")
    ids = renderer.answered((Message("user", " a "),), " b ").ids
    assert "".join(map(chr, ids)) == (
        "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n b <|im_end|>\n"
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("system", [None, "Be brief."])
def test_jinja_writes_the_same_text(name: str, system: str | None, every_family: Any) -> None:
    messages = conversation(TURNS, system).messages
    turns = [{"role": m.role, "content": f" {m.content}\n"} for m in messages]
    text = every_family.apply_chat_template(
        turns, chat_template=jinja_source(name), tokenize=False, add_generation_prompt=True
    )
    template = FireflyTemplate(every_family, name)
    expected = "".join(map(str, template.segments(messages)))
    assert text == re.sub("⟦(.+?)⟧", lambda match: IDS[match.group(1)], expected)


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_is_how_the_trained_conversation_begins(name: str, every_family: Any) -> None:
    renderer = Renderer(every_family, template=f"firefly:{name}")
    row = conversation(TURNS)
    tokens = renderer.render(row)
    for i in (1, 3):
        prompt = renderer.prompt_ids(row.messages[:i])
        assert tokens.ids[: len(prompt)].tolist() == prompt
        assert tokens.trained[len(prompt)] and not tokens.trained[len(prompt) - 1]


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_ends_with_a_token_that_ends_answers(name: str, every_family: Any) -> None:
    renderer = Renderer(every_family, template=f"firefly:{name}")
    tokens = renderer.render(conversation(TURNS))
    ends = set(renderer.end_ids())
    line_break = every_family.encode("\n")
    last = [i for i in tokens.ids[tokens.trained].tolist() if i not in line_break][-1]
    assert last in ends


def test_chatglm3_also_stops_where_it_would_go_on_as_the_user(every_family: Any) -> None:
    ends = Renderer(every_family, template="firefly:chatglm3").end_ids()
    assert every_family.convert_ids_to_tokens(ends) == ["</s>", "<|user|>"]


def test_pieces_share_no_token(every_family: Any) -> None:
    """`]H` is one token of this tokenizer, but `[/INST]` and `Hello` are tokenised apart."""
    tokens = Renderer(every_family, template="firefly:mistral").render(conversation(TURNS))
    words = every_family.convert_ids_to_tokens(tokens.ids.tolist())
    assert "]H" in every_family.tokenize("]Hello") and "]H" not in words


def test_a_text_and_what_stands_around_it_are_one_piece(every_family: Any) -> None:
    """`:H` is one token: it joins `<|User|>:` with the question, but not `<|Bot|>:` with `Hello`,
    which is a piece of its own.
    """
    row = conversation([{"human": "Hi", "assistant": "Hello"}])
    tokens = Renderer(every_family, template="firefly:internlm").render(row)
    words = every_family.convert_ids_to_tokens(tokens.ids.tolist())
    assert words.count(":H") == 1
    assert words[words.index(":H") + 1] == "i"


def test_an_empty_system_message_is_not_the_default(every_family: Any) -> None:
    template = FireflyTemplate(every_family, "qwen")
    head = template.segments([Message("system", ""), Message("user", "a")])[0]
    assert str(head) == "<|im_start|>system\n<|im_end|>\n"


def test_white_space_around_a_system_message_goes(every_family: Any) -> None:
    template = FireflyTemplate(every_family, "qwen")
    head = template.segments([Message("system", "\n Be brief. "), Message("user", "a")])[0]
    assert str(head) == "<|im_start|>system\nBe brief.<|im_end|>\n"


def test_a_tokenizer_that_keeps_the_template_is_rendered_as_in_training(every_family: Any) -> None:
    row = conversation(TURNS)
    trained = Renderer(every_family, template="firefly:mistral").render(row)
    every_family.chat_template = jinja_source("mistral")
    try:
        kept = Renderer(every_family).render(row)
    finally:
        every_family.chat_template = None
    assert kept.ids.tolist() == trained.ids.tolist()
    assert kept.trained.tolist() == trained.trained.tolist()


def test_the_mark_is_read_only_where_no_template_is_named() -> None:
    assert firefly_name("firefly:qwen") == "qwen"
    assert firefly_name("", jinja_source("gemma")) == "gemma"
    assert firefly_name("my.jinja", jinja_source("gemma")) is None
    assert firefly_name("", "{{ messages }}") is None


def test_an_unknown_name_says_which_was_meant(every_family: Any) -> None:
    with pytest.raises(TemplateError, match=r"did you mean firefly:qwen\?|Did you mean"):
        Renderer(every_family, template="firefly:qwenn")


@pytest.mark.parametrize("roles", ["assistant", "user user", "user system", "user assistant tool"])
def test_roles_out_of_order_are_refused(roles: str, every_family: Any) -> None:
    messages = tuple(Message(role, "a") for role in roles.split())
    with pytest.raises(TemplateError, match=rf"chats:3: .* turn {len(messages)}, of"):
        FireflyTemplate(every_family, "qwen").segments(messages, origin=Origin("chats", 3))


def test_a_tokenizer_without_the_special_tokens_is_refused(every_family: Any) -> None:
    class Lacking(Characters):
        unk_token_id = 7

        def convert_tokens_to_ids(self, token: str) -> int:
            return 7

    with pytest.raises(TemplateError, match=r"needs the token \[gMASK\]"):
        Renderer(Lacking(), template="firefly:chatglm3").render(conversation(TURNS))


@pytest.fixture
def notices(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is said, from a fresh start."""
    segments_module._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        yield caplog


def test_what_differs_from_the_model_is_said_once(notices: Any, every_family: Any) -> None:
    for _ in range(2):
        Renderer(every_family, template="firefly:gemma")
        Renderer(every_family, template="firefly:qwen")
    assert [record.getMessage() for record in notices.records] == [
        "firefly:gemma is not the model's own template: "
        "answers end with <eos> instead of <end_of_turn>"
    ]


def test_only_the_first_of_several_processes_speaks(
    notices: Any, every_family: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    Renderer(every_family, template="firefly:gemma")
    assert not notices.records


def test_system_messages_that_are_left_out_are_told_once(notices: Any, every_family: Any) -> None:
    renderer = Renderer(every_family, template="firefly:baichuan", system="Be brief.")
    for _ in range(2):
        renderer.render(conversation(TURNS))
    (record,) = notices.records
    assert "firefly:baichuan has no place for system messages" in record.getMessage()


def test_an_end_mark_that_is_no_token_of_the_model_is_told(notices: Any) -> None:
    Renderer(Characters(), template="firefly:yi")
    assert "<|im_end|>, which is no single token" in notices.records[0].getMessage()
