"""With a GPU and bitsandbytes: every method trains an adapter over a base in four bits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import luciola
from luciola.chat.loading import Wanted, load_chat
from luciola.methods.running import Result
from luciola.types import Message
from support import write_model

pytestmark = pytest.mark.gpu

PAIRS = [
    {"prompt": f"what is {n}?", "chosen": f"it is {n}", "rejected": "no idea"} for n in range(16)
]
LOGGED = [
    {"prompt": f"ask {n}", "output": "yes" if n % 2 else "no", "reward": float(n % 2)}
    for n in range(16)
]
PROMPTS = ["hello", "how are you", "what is this", "tell me"]


def count_e(answers: Sequence[str]) -> list[float]:
    """A reward that a tiny model learns in seconds."""
    return [float(answer.count("e")) for answer in answers]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("bitsandbytes")
    return str(write_model(tmp_path_factory.mktemp("few") / "model", width=64))


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("method", ["dpo", "reward_model"])
def test_preferences_are_learned(method: str, model: str, tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text("\n".join(map(json.dumps, PAIRS)) + "\n")
    train = getattr(luciola, method)
    result = train(model=model, data=str(data), adapter="qlora", epochs=8, batch=8, lr=1e-2)
    seen = [row["loss"] for row in rows(result) if "loss" in row]
    assert seen[-1] < seen[0] - 0.1


def test_logged_answers_are_learned(model: str) -> None:
    result = luciola.ilql(model=model, data=LOGGED, adapter="qlora", epochs=8, batch=8, lr=1e-2)
    seen = [row["loss"] for row in rows(result) if "loss" in row]
    assert seen[-1] < seen[0]


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("ppo", {}),
        ("ppo", {"critic": "separate", "critic_lr": 1e-2}),
        ("ppo", {"quantize": "int8", "adapter": "lora"}),
        ("a2c", {"batch": 32}),
        ("grpo", {"kl_coef": 0.01}),
        ("rloo", {}),
    ],
)
def test_online_methods_learn_from_their_own_answers(
    method: str, settings: dict[str, Any], model: str
) -> None:
    """The KL begins at 0, since the reference is the same base without its adapter."""
    given = {"adapter": "qlora", "lr": 1e-2, **settings}
    result = getattr(luciola, method)(
        model=model, prompts=PROMPTS, reward=count_e, iterations=20, rollouts=32,
        **{"batch": 16, "max_new_tokens": 8, "trace_prompts": 2, **given},
    )  # fmt: skip
    seen = [row for row in rows(result) if "iteration" in row]
    assert abs(seen[0]["objective/kl"]) < 0.05
    assert seen[-1]["score/mean"] > seen[0]["score/mean"] + 0.8
    assert rows(result)[0]["policy/ratio"] == pytest.approx(1, abs=0.02)


def test_chat_answers_in_four_bits(model: str) -> None:
    chat, settings = load_chat(Wanted(model, four_bit=True))
    short = replace(settings, max_new_tokens=8)
    reply = chat.answer([Message("user", "hello")], short)
    assert 0 < reply.tokens <= 8
