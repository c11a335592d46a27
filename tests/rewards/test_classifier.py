"""Log-odds of a label, the same alone as in a batch, whatever is padding and whatever is cut."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
)

from luciola.errors import ConfigError, ModelError
from luciola.rewards.building import build_reward
from luciola.rewards.classifier import ClassifierPart, batches, log_odds
from luciola.types import Answered, Message
from support import VOCABULARY, build_tokenizer, write_model

Make = Callable[..., list[Answered]]
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 48,
}
LABELS = {0: "negative", 1: "positive"}


def write_classifier(folder: Path, *, labels: dict[int, str] = LABELS, decoder: bool) -> str:
    """A random classifier of one layer; its pad token is its end token."""
    torch.manual_seed(0)
    names = {"id2label": labels, "label2id": {name: i for i, name in labels.items()}}
    model: Any
    if decoder:
        model = LlamaForSequenceClassification(LlamaConfig(**SIZES, **names, pad_token_id=96))
    else:
        model = BertForSequenceClassification(BertConfig(**SIZES, **names))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module", params=["decoder", "encoder"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp(request.param)
    return write_classifier(folder, decoder=request.param == "decoder")


def plain_odds(folder: str, text: str) -> float:
    """log p / (1 - p) of `positive`, by transformers alone, one text without padding."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    inputs = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        shares = model(**inputs).logits[0].double().softmax(0)
    return math.log(shares[1] / (1 - shares[1]))


def test_scores_are_the_labels_log_odds_also_in_a_batch(folder: str, answered: Make) -> None:
    batch = answered("yes", "no, that is not so", "z", prompt="is it? ")
    scored = build_reward(f"classifier:{folder}#positive").score(batch)
    expected = [plain_odds(folder, one.prompt + one.answer) for one in batch]
    assert scored.scores == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert len({round(score, 3) for score in expected}) == 3


def test_labels_have_names_and_numbers_and_the_last_of_two_is_meant(
    folder: str, answered: Make
) -> None:
    batch = answered("yes")
    scores = {
        label: ClassifierPart.load(folder, label).raw(batch)[0]
        for label in ("", "1", "Positive", "negative")
    }
    assert scores[""] == scores["1"] == scores["Positive"]
    assert scores["negative"] == pytest.approx(-scores[""], rel=1e-5)


def test_an_end_token_in_the_answer_is_no_padding(tmp_path: Path, answered: Make) -> None:
    """The pad token is the end token: the score is still read at the last real token."""
    part = ClassifierPart.load(write_classifier(tmp_path, decoder=True))
    alone, batched = answered("yes<end>"), answered("yes<end>", "a much longer answer")
    assert part.raw(batched)[0] == pytest.approx(part.raw(alone)[0], rel=1e-4)
    assert part.raw(alone) != pytest.approx(part.raw(answered("yes")), rel=1e-3)


def test_what_is_too_long_loses_its_beginning_with_one_notice(
    folder: str, answered: Make, caplog: pytest.LogCaptureFixture
) -> None:
    part = ClassifierPart.load(folder)
    whole = [f"{'x' * 40}{'abcdefgh' * 6}", f"{'y' * 40}{'abcdefgh' * 6}"]
    with caplog.at_level(logging.WARNING, "luciola"):
        first, second = part.raw(answered(*whole, prompt=""))
        (same,) = part.raw(answered(whole[0], prompt="more before it"))
    assert [first, second, same] == pytest.approx(
        [plain_odds(folder, "abcdefgh" * 6)] * 3, rel=1e-4
    )
    notice = "the classifier reads 48 tokens: 2 of 2 samples lost their beginning (said once)"
    assert caplog.messages == [notice]


def test_a_conversation_goes_through_the_classifiers_template(folder: str) -> None:
    part = ClassifierPart.load(folder)
    chat = Answered("Hi", "Hello", (Message("system", "Be kind."), Message("user", "Hi")))
    assert part.text(chat) == "<system>Be kind.<end><user>Hi<end><assistant>Hello<end>"
    assert part.text(Answered("Hi", " there")) == "Hi there"
    part.tokenizer.bos_token = "<end>"
    part.tokenizer.chat_template = "{{ bos_token }}" + part.tokenizer.chat_template
    assert part.text(chat).startswith("<end><system>")  # its tokenizer puts none in front itself
    part.tokenizer.chat_template = None
    assert part.text(chat) == "Hi\nHello"


def test_log_odds_by_hand() -> None:
    """z = (1, 2, 4): 4 - ln(e + e²), p / (1 - p) = e⁴ / (e + e²); one output is the score."""
    logits = torch.tensor([[1.0, 2.0, 4.0]])
    by_hand = 4 - math.log(math.e + math.e**2)
    assert log_odds(logits, 2).tolist() == pytest.approx([by_hand])
    p = logits.softmax(1)[0, 0].item()
    assert log_odds(logits, 0).tolist() == pytest.approx([math.log(p / (1 - p))])
    assert log_odds(torch.tensor([[-3.0], [2.0]]), 0).tolist() == [-3.0, 2.0]


def test_batches_hold_every_index_once_and_stay_within_their_tokens() -> None:
    lengths = [5000, 3, 4000, 3, 9000, 1, 4000, 4000]
    found = list(batches(lengths))
    assert sorted(index for batch in found for index in batch) == list(range(8))
    assert [[lengths[i] for i in batch] for batch in found] == [
        [1, 3, 3], [4000, 4000], [4000], [5000], [9000]
    ]  # fmt: skip
    assert list(batches([])) == []


def test_a_label_that_is_not_there_or_left_open_lists_them(folder: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no label 'joy'\n.*#LABEL with one of negative, pos"):
        build_reward(f"classifier:{folder}#joy")
    many = write_classifier(tmp_path, labels={0: "a", 1: "b", 2: "c"}, decoder=False)
    with pytest.raises(ConfigError, match=r"has 3 labels\n.*one of a, b, c"):
        build_reward(f"classifier:{many}")


def test_a_language_model_is_no_classifier_with_a_random_head(tmp_path: Path) -> None:
    write_model(tmp_path)
    with pytest.raises(ModelError, match=r"is no text classifier: it lacks score\.weight"):
        build_reward(f"classifier:{tmp_path}")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model"):
        build_reward(f"classifier:{tmp_path}/absent")
