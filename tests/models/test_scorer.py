"""Reward models in memory and on disk: read where the answer ends, loaded by anyone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from luciola.config.training import LoraConfig
from luciola.data.grouping import Kind, grouped_rows
from luciola.errors import ConfigError, ModelError
from luciola.models.batch import Batch
from luciola.models.classifier import (
    RewardModel,
    choose_pad,
    fresh_head,
    load_classifier,
    whole_classifier,
)
from luciola.models.classifier_adapters import adapt_classifier
from luciola.models.load import load_tokenizer
from luciola.models.save import save_model
from luciola.models.scorer import RewardCard, Scorer, at_ends
from luciola.types import Message, Tokens
from support import CHAT_TEMPLATE

LENGTHS = [9, 4, 12, 5, 5, 17, 6]
GROUPS = [(0, 1), (2, 3, 4), (5, 6)]


@pytest.fixture
def answers() -> list[Tokens]:
    """Answers to three prompts of three tokens; the end token and the pad id 0 occur inside."""
    random = np.random.default_rng(0)
    made = []
    for group in GROUPS:
        prompt = random.integers(3, 96, 3)
        for member in group:
            ids = np.concatenate([prompt, random.integers(0, 97, LENGTHS[member] - 3)])
            ids[-1] = 96
            made.append(Tokens(ids.astype(np.int32), np.arange(len(ids)) > 2, prefix=3))
    return made


def load(folder: Path, attention: str = "luciola") -> Any:
    return load_classifier(
        str(folder), dtype=torch.float32, device="cpu", attention=attention, run_seed=0
    )


def raw_scores(model: RewardModel, answers: list[Tokens], kind: Kind, capacity: int) -> Tensor:
    scores = torch.zeros(len(answers))
    with torch.no_grad():
        for row in grouped_rows(answers, GROUPS, kind, capacity):
            scores[list(row.examples)] = model(Batch.of(at_ends(row), "cpu"))
    return scores


@pytest.mark.parametrize("kind", ["padded", "packed", "tree"])
@pytest.mark.parametrize("capacity", [1, 1000])
def test_a_score_is_read_at_the_last_token_in_every_layout(
    folder: Path, answers: list[Tokens], kind: Kind, capacity: int
) -> None:
    """As of each answer alone: the head over the last hidden state, computed by transformers."""
    classifier = load(folder)
    alone = []
    with torch.no_grad():
        for answer in answers:
            ids = torch.tensor(answer.ids[None], dtype=torch.int64)
            states = classifier.model(ids, use_cache=False).last_hidden_state
            alone.append(float(classifier.score(states[0, -1])))
    found = raw_scores(RewardModel(classifier), answers, kind, capacity)
    assert found.tolist() == pytest.approx(alone, rel=1e-4, abs=1e-5)


def test_a_fresh_head_has_the_spread_that_the_source_gives_and_follows_from_the_seed() -> None:
    """N(0, 1 / √(d + 1)): of 10,000 weights within 3 %."""
    head = fresh_head(10_000, 3)
    assert float(head.weight.detach().std()) == pytest.approx(1 / math.sqrt(10_001), rel=0.03)
    assert head.bias is None
    assert torch.equal(head.weight, fresh_head(10_000, 3).weight)
    assert not torch.equal(head.weight, fresh_head(10_000, 4).weight)


def save(folder: Path, out: Path, *, full: bool, card: RewardCard) -> RewardModel:
    """A reward model over the language model in `folder`, nudged away from its start."""
    tokenizer = load_tokenizer(folder)
    tokenizer.chat_template = CHAT_TEMPLATE
    model = adapt_classifier(load(folder, "sdpa"), str(folder), LoraConfig(), full=full, run_seed=0)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    choose_pad(model, tokenizer, {96})
    save_model(model, tokenizer, out, name=str(folder))
    card.write(out)
    return RewardModel(model.eval())


@pytest.mark.parametrize("full", [True, False])
def test_what_is_saved_scores_the_same_everywhere(
    folder: Path, answers: list[Tokens], tmp_path: Path, full: bool
) -> None:
    """In our scorer, and in transformers' or peft's own classes, one answer at a time."""
    from peft import AutoPeftModelForSequenceClassification
    from transformers import AutoModelForSequenceClassification

    out = tmp_path / "reward"
    before = raw_scores(
        save(folder, out, full=full, card=RewardCard(gain=2.0, bias=-1.0)), answers, "padded", 1
    )
    scores = Scorer.load(out, "cpu").score_tokens(answers, batch_tokens=40)
    assert scores == pytest.approx([2 * x - 1 for x in before.tolist()], rel=1e-4, abs=1e-5)
    if full:
        other: Any = AutoModelForSequenceClassification.from_pretrained(out)
    else:
        other = AutoPeftModelForSequenceClassification.from_pretrained(out, num_labels=1)
    with torch.no_grad():
        plain = [
            float(other(input_ids=torch.tensor(a.ids[None], dtype=torch.int64)).logits)
            for a in answers
        ]
    assert plain == pytest.approx(before.tolist(), rel=1e-4, abs=1e-5)


def test_a_pad_token_never_ends_an_answer(folder: Path) -> None:
    """Else transformers would read the score one token too early."""
    model, tokenizer = load(folder), load_tokenizer(folder)
    tokenizer.pad_token = "<end>"
    choose_pad(model, tokenizer, {96})
    assert model.config.pad_token_id is None
    tokenizer.unk_token = "!"
    choose_pad(model, tokenizer, {96})
    assert model.config.pad_token_id == tokenizer.pad_token_id == 0


def test_text_is_read_as_in_training(folder: Path, tmp_path: Path) -> None:
    """A plain prompt of a model for chats is a user's message; of one for texts it is continued."""
    out = tmp_path / "reward"
    save(folder, out, full=False, card=RewardCard(as_chat=True))
    chat = Scorer.load(out, "cpu")
    turns = (Message("user", "ask"),)
    assert chat.score(["ask"], ["tell"]) == chat.score([turns], ["tell"])
    RewardCard(as_chat=False).write(out)
    text = Scorer.load(out, "cpu")
    assert text.score([turns], ["tell"]) == chat.score(["ask"], ["tell"])
    assert text.score(["ask"], ["tell"]) != chat.score(["ask"], ["tell"])


def test_neither_order_nor_batch_changes_a_score(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "reward"
    save(folder, out, full=False, card=RewardCard())
    scorer = Scorer.load(out, "cpu")
    prompts, answers = ["a", "bb", "a"], ["short", "a much longer answer", ""]
    together = scorer.score(prompts, answers)
    alone = [scorer.score([p], [a])[0] for p, a in zip(prompts, answers, strict=True)]
    assert together == pytest.approx(alone, rel=1e-4)
    assert scorer.score(prompts[::-1], answers[::-1], batch_tokens=1) == pytest.approx(alone[::-1])
    assert len(set(together)) == 3
    with pytest.raises(ConfigError, match="3 prompts and 1 answers"):
        scorer.score(prompts, ["one"])


def test_a_language_models_adapter_is_trained_on(folder: Path, tmp_path: Path) -> None:
    """The reward model begins with the adapter's hidden states, and stays an adapter of the same
    base; a full one has it in its weights.
    """
    from luciola.models.adapters import attach_lora
    from luciola.models.load import load_model

    language = attach_lora(load_model(folder), LoraConfig(r=4), run_seed=5)
    with torch.no_grad():
        for name, parameter in language.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    save_model(language, load_tokenizer(folder), tmp_path / "sft", name=str(folder))
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        expected = language(ids, output_hidden_states=True).hidden_states[-1]
    for full in (False, True):
        base = load(tmp_path / "sft")
        model = adapt_classifier(base, str(tmp_path / "sft"), LoraConfig(), full=full, run_seed=0)
        with torch.no_grad():
            states = whole_classifier(model).model(ids).last_hidden_state
        assert torch.allclose(states, expected, rtol=1e-4, atol=1e-4)
        assert hasattr(model, "peft_config") is not full
        if not full:
            save_model(model, load_tokenizer(folder), tmp_path / "rm", name=str(folder))
            kept = json.loads((tmp_path / "rm" / "adapter_config.json").read_text())
            assert (kept["r"], kept["base_model_name_or_path"]) == (4, str(folder))


def test_what_is_no_reward_model_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no reward model"):
        Scorer.load(folder, "cpu")
    out = tmp_path / "reward"
    save(folder, out, full=True, card=RewardCard())
    (out / "reward.json").write_text("{broken")
    with pytest.raises(ModelError, match=r"reward\.json is damaged"):
        Scorer.load(out, "cpu")
    (out / "reward.json").unlink()
    assert Scorer.load(out, "cpu").card == RewardCard()


def test_a_classifier_with_several_labels_is_refused(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(folder)
    config.num_labels = 3
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path / "three")
    with pytest.raises(ModelError, match="a classifier with 3 labels"):
        load(tmp_path / "three")
