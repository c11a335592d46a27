"""The script of the documentation, on a tiny model: its rewards must rise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from luciola.compat.trl import AutoModelForCausalLMWithValueHead
from support import build_tokenizer

PAGE = Path(__file__).parents[2] / "docs" / "from_trl.md"
SMALLER = (
    'model_name="lvwerra/gpt2-imdb", learning_rate=1.41e-5, batch_size=128, mini_batch_size=128',
    'model_name="tiny", learning_rate=1e-2, batch_size=12, mini_batch_size=12',
)


def positive(texts: list[str]) -> list[float]:
    """The share of capital letters."""
    return [10 * sum(letter.isupper() for letter in text) / max(len(text), 1) for text in texts]


def test_rewards_rise_over_twenty_steps_of_the_documented_script(
    build: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    build().save_pretrained("tiny")
    build_tokenizer().save_pretrained("tiny")
    script = next(
        b for b in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "for b" in b
    )
    assert SMALLER[0] in script
    reviews = [f"the film {number} is what it is" for number in range(20 * 12)]
    exec(script.replace(*SMALLER), {"positive": positive, "reviews": reviews})
    lines = capsys.readouterr().out.splitlines()
    rewards = [float(re.findall(r"reward (\S+)", line)[0]) for line in lines]
    assert len(rewards) == 20
    start, end = sum(rewards[:4]) / 4, sum(rewards[-4:]) / 4
    assert end > start + 1.0
    saved = AutoModelForCausalLMWithValueHead.from_pretrained("positive-gpt2")
    assert saved.v_head.summary.weight.shape == (1, 16)
