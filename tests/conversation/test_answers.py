"""Prompts and answers as tokens, cut to length, and closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from luciola.conversation.answers import AnswerRenderer, Lengths, cut
from luciola.conversation.render import Renderer
from luciola.data.comparison import read_comparison
from luciola.data.readers.lines import record
from luciola.types import Message
from reference_values import Source, sources

PLENTY = Lengths(1000, 500)
ASK = (Message("user", "hi"), Message("assistant", "yes"), Message("user", "hi?"))


def renderer(tokenizer: Any, lengths: Lengths = PLENTY, *, closed: bool = True) -> AnswerRenderer:
    return AnswerRenderer(Renderer(tokenizer), lengths, closed=closed)


def test_answers_to_one_prompt_share_its_tokens(chatml: Any) -> None:
    """Only the answer is trained, also where the prompt holds an earlier one."""
    one, other = renderer(chatml)(ASK, ["no", "a longer answer"])
    assert one.prefix == other.prefix
    assert one.ids[: one.prefix].tolist() == other.ids[: other.prefix].tolist()
    assert one.ids[: one.prefix].tolist() == Renderer(chatml).prompt_ids(ASK)
    assert chatml.decode(other.ids[other.trained]) == "a longer answer<|im_end|>"
    assert not other.trained[: other.prefix].any()


def test_a_text_is_continued_and_ended_once(chatml: Any) -> None:
    one, other = renderer(chatml)("hi ", ["there", "you<|im_end|>"])
    assert chatml.decode(one.ids) == "hi there<|im_end|>"
    assert chatml.decode(other.ids) == "hi you<|im_end|>"
    assert chatml.decode(one.ids[one.trained]) == "there<|im_end|>"


def test_an_empty_prompt_and_an_empty_answer_can_be_read(
    chatml: Any, tokenizer_with: Callable[..., Any]
) -> None:
    """An answer of nothing is an end token; without a prompt its first token is not predicted."""
    (alone,) = renderer(chatml)("", ["hi"])
    assert chatml.decode(alone.ids) == "hi<|im_end|>"
    assert alone.trained.tolist() == [False, True]
    begun = tokenizer_with(begin=True)
    (behind,) = renderer(begun)("", ["hi"])
    assert begun.decode(behind.ids) == "<s>hi<|im_end|>"
    assert behind.trained.tolist() == [False, True, True]
    (empty,) = renderer(chatml)(ASK, [""])
    assert chatml.decode(empty.ids[empty.trained]) == "<|im_end|>"


def test_a_template_without_an_end_mark_gets_the_end_token(
    tokenizer_with: Callable[..., Any],
) -> None:
    plain = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    plain += "{% if add_generation_prompt %}[assistant]{% endif %}"
    tokenizer = tokenizer_with(template=plain)
    (closed,) = renderer(tokenizer)(ASK[:1], ["hi"])
    (plainly,) = renderer(tokenizer, closed=False)(ASK[:1], ["hi"])
    assert tokenizer.decode(closed.ids) == "[user]hi[assistant]hi<|im_end|>"
    assert tokenizer.decode(plainly.ids) == "[user]hi[assistant]hi"


def test_a_cut_answer_is_closed_only_where_it_is_judged(chatml: Any) -> None:
    """Twelve tokens: the prompt keeps its last four, the answer eight, its end token among them."""
    lengths = Lengths(12, 4)
    for closed, last in ((True, "<|im_end|>"), (False, "g")):
        short, long = renderer(chatml, lengths, closed=closed)("abcdefgh", ["x", "abcdefghijk"])
        assert (len(short), len(long)) == (6, 12)
        assert chatml.decode(long.ids[:4]) == "efgh"
        assert chatml.decode(long.ids[-2:]) == "g" + last if closed else "gh"
        assert chatml.decode(short.ids[-1:]) == "<|im_end|>"


@pytest.mark.parametrize(
    ("longest", "kept", "prompt", "answers"),
    [
        (18, 2, 10, (3, 8)),  # all fits
        (17, 2, 9, (3, 8)),  # the prompt loses what is too much
        (12, 2, 4, (3, 8)),
        (12, 6, 6, (3, 6)),  # but keeps 6, and the longer answer is cut
        (12, 11, 10, (2, 2)),  # both answers are cut
        (4, 2, 2, (2, 2)),
    ],
)
def test_the_prompt_is_cut_first_then_the_answers(
    longest: int, kept: int, prompt: int, answers: tuple[int, int]
) -> None:
    """A prompt of 10 and answers of 3 and 8 tokens; the prompt loses its beginning."""
    whole = list(range(10))
    head, tails = cut(whole, [[50, 51, 52], list(range(50, 58))], Lengths(longest, kept))
    assert head == whole[-prompt:]
    assert tails == [[50, 51, 52][: answers[0]], list(range(50, 58))[: answers[1]]]


def written(messages: tuple[Message, ...]) -> str:
    """Firefly's qwen template."""
    return "".join(f"<|im_start|>{m.role}\n{m.content.strip()}<|im_end|>\n" for m in messages)


@pytest.mark.parametrize("read", sources())
def test_firefly_pairs_are_cut_as_firefly_cuts_them(read: Source) -> None:
    """One token a character."""
    golden = read("rl/dpo_firefly")
    found, _ = read_comparison(record("golden", 1, golden["record"]))
    prompt = written(tuple(found.prompt)) + "<|im_start|>assistant\n"  # type: ignore[arg-type]
    answers = [[ord(c) for c in f"{answer}<|im_end|>\n"] for answer in found.answers]
    for case in golden["cases"]:
        lengths = Lengths(case["max_seq_length"], case["max_prompt_length"])
        head, tails = cut([ord(c) for c in prompt], answers, lengths)
        assert "".join(map(chr, head)) == case["prompt"]
        assert ["".join(map(chr, head + tail)) for tail in tails] == [
            case["chosen"],
            case["rejected"],
        ]
        assert len(head) == case["chosen_labels_masked_prefix"]
