"""A trained reward model as a component."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

from luciola.errors import ModelError
from luciola.models.scorer import RewardCard, Scorer
from luciola.rewards.building import build_reward
from luciola.types import Answered, Message
from support import CHAT_TEMPLATE, VOCABULARY, build_tokenizer, write_model

Make = Callable[..., list[Answered]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model of random weights."""
    folder = tmp_path_factory.mktemp("reward")
    torch.manual_seed(0)
    settings: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32}
    config = LlamaConfig(
        vocab_size=VOCABULARY, num_hidden_layers=1, num_attention_heads=2, num_labels=1, **settings
    )
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer = build_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    RewardCard(gain=50.0, bias=1.0).write(folder)
    return folder


def test_scores_are_those_of_the_scorer_for_texts_and_conversations(
    folder: Path, answered: Make
) -> None:
    turns = (Message("system", "Be kind."), Message("user", "Hi"))
    batch = [*answered("yes", "no"), Answered("Hi", "Hello", turns)]
    scored = build_reward(f"rm=model:{folder}@0.5").score(batch)
    prompts: list[Any] = ["Say it.", "Say it.", turns]
    expected = Scorer.load(folder, "cpu").score(prompts, ["yes", "no", "Hello"])
    assert scored.parts["rm"] == pytest.approx(expected)
    assert scored.scores == pytest.approx([score / 2 for score in expected])
    assert len({round(score, 2) for score in expected}) == 3


def test_a_model_beside_the_recipe_is_found(folder: Path) -> None:
    build_reward(f"model:{folder.name}", relative_to=folder.parent)


def test_a_language_model_is_no_reward_model(tmp_path: Path) -> None:
    write_model(tmp_path)
    with pytest.raises(ModelError, match="is no reward model"):
        build_reward(f"model:{tmp_path}")
