"""A tiny model on this machine answers prompts as a server would."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from luciola.errors import ModelError
from luciola.rollout.batch import PaddedBatch
from luciola.specialist.expertise import Expertise
from luciola.specialist.local import LocalModel
from luciola.sql.asking.model import Answers, Sampling
from support import write_model

SHORT = Sampling(max_tokens=6)
DRAWN = Sampling(answers=3, temperature=1.0, max_tokens=6)
PROMPTS = ["SELECT ", "a table with a long name", "x" * 60, "b", "SELECT name FROM"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "model", context=128)


@pytest.fixture(scope="module")
def model(folder: Path) -> LocalModel:
    return LocalModel(folder, device="cpu")


def texts(answers: list[Answers]) -> list[tuple[str, ...]]:
    return [one.texts for one in answers]


def test_an_answer_depends_on_its_prompt_alone(folder: Path, model: LocalModel) -> None:
    together = model.answer(PROMPTS, DRAWN)
    alone = [model.answer([prompt], DRAWN)[0] for prompt in PROMPTS]
    small = LocalModel(folder, device="cpu", batch=3).answer(PROMPTS[::-1], DRAWN)[::-1]
    assert texts(together) == texts(alone) == texts(small)
    assert len(set(texts(together))) == len(PROMPTS)


def test_several_answers_are_drawn_apart_and_the_first_ones_stay(model: LocalModel) -> None:
    (three,) = model.answer(["a"], DRAWN)
    (one,) = model.answer(["a"], replace(DRAWN, answers=1))
    (other,) = model.answer(["a"], replace(DRAWN, seed=1))
    assert len(set(three.texts)) == 3
    assert one.texts == three.texts[:1]
    assert other.texts != three.texts
    assert len(set(model.answer(["a"], replace(DRAWN, temperature=0.0))[0].texts)) == 1


def test_a_prompt_is_a_users_message_or_goes_on_as_it_stands(folder: Path) -> None:
    """`<user>SELECT <end><assistant>`: `se` is one token, and so are the ends."""
    chat, raw = (LocalModel(folder, device="cpu", raw=raw) for raw in (False, True))
    (asked,), (went_on,) = (one.answer(["SELECT "], SHORT) for one in (chat, raw))
    assert chat.tokenizer.decode(chat._ids("SELECT ")) == "<user>SELECT <end><assistant>"
    assert raw.tokenizer.decode(raw._ids("SELECT ")) == "SELECT "
    assert went_on.prompt_tokens == len(raw._ids("SELECT ")) < asked.prompt_tokens
    assert asked.texts != went_on.texts


def test_a_trained_model_is_asked_as_it_learned_unless_told_otherwise(tmp_path: Path) -> None:
    """It learned to write the blank after SELECT, so that it is not shown one."""
    folder = write_model(tmp_path / "model", context=128)
    Expertise(prompt="TR_P", strip_suffix=True).save(folder)
    trained, chat = (LocalModel(folder, device="cpu", raw=raw) for raw in (None, False))
    assert trained.raw
    assert trained.tokenizer.decode(trained._ids("SELECT ")) == "SELECT"
    assert chat.tokenizer.decode(chat._ids("SELECT ")) == "<user>SELECT<end><assistant>"
    Expertise(prompt="TR_P", chat=True).save(folder)
    assert not LocalModel(folder, device="cpu").raw


def test_a_prompt_that_does_not_fit_fails_alone(model: LocalModel) -> None:
    """The context is 128 tokens, one per character, 6 of them the answer's."""
    long, good = model.answer(["x" * 125, "a"], SHORT)
    assert long.texts == ()
    assert long.error.startswith("the prompt is too long: ")
    assert long.error.endswith("tokens and 6 of the answer, and the model sees 128")
    assert good.texts


def test_like_lengths_are_answered_together_within_the_budget(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two long prompts of 2 x 70 + 6 slots fill 310; five short ones go together."""
    monkeypatch.setattr(model, "tokens", 310)
    asked = {str(n): [0] * length for n, length in enumerate([5, 70, 4, 70, 6, 5, 5])}
    assert list(model._chunks(asked, SHORT)) == [["1", "3"], ["4", "0", "5", "6", "2"]]
    monkeypatch.setattr(model, "tokens", 250)  # 5 x 3 rows of 18 slots are 270
    three = replace(SHORT, answers=3)
    assert [len(chunk) for chunk in model._chunks(asked, three)] == [1, 1, 4, 1]


def test_memory_that_runs_out_halves_what_is_answered_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    model = LocalModel(folder, device="cpu")
    expected = texts(model.answer(PROMPTS, SHORT))
    sizes: list[int] = []
    build = PaddedBatch.__init__

    def limited(self: PaddedBatch, forward: object, prefixes: list[object], rest: object) -> None:
        sizes.append(len(prefixes))
        if len(prefixes) > 2:
            raise torch.OutOfMemoryError
        build(self, forward, prefixes, rest)  # type: ignore[arg-type]

    monkeypatch.setattr(PaddedBatch, "__init__", limited)
    assert texts(model.answer(PROMPTS, SHORT)) == expected
    assert max(sizes) > 2


def test_answers_are_kept_and_equal_prompts_are_answered_once(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "kept.jsonl"
    seen: list[tuple[int, int]] = []
    first = LocalModel(folder, device="cpu", cache=cache).answer(
        ["a", "b", "a"], DRAWN, lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (3, 3)
    assert [one.cached for one in first] == [False, False, True]
    assert len(cache.read_text().splitlines()) == 2
    again = LocalModel(folder, device="cpu", cache=cache).answer(["a", "b"], DRAWN)
    assert [one.cached for one in again] == [True, True]
    assert texts(again) == texts(first[:2])
    five = LocalModel(folder, device="cpu", cache=cache).answer(["a"], replace(DRAWN, answers=5))
    assert five[0].texts[:3] == first[0].texts
    assert not five[0].cached


def test_a_model_that_was_trained_again_is_another(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "kept.jsonl"
    LocalModel(folder, device="cpu", cache=cache).answer(["a"], SHORT)
    weights = next(folder.glob("*.safetensors"))
    os.utime(weights, (1, 1))
    (again,) = LocalModel(folder, device="cpu", cache=cache).answer(["a"], SHORT)
    assert not again.cached


def test_an_adapter_changes_the_answers(folder: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from luciola.models.load import load_model

    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False)
    adapted = get_peft_model(load_model(folder), config)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    with_adapter = LocalModel(folder, device="cpu", adapter=tmp_path / "adapter")
    plain = LocalModel(folder, device="cpu")
    assert texts(with_adapter.answer(["a"], SHORT)) != texts(plain.answer(["a"], SHORT))
    assert with_adapter.name == f"{folder} with {tmp_path / 'adapter'}"


def test_a_model_without_a_chat_template_must_be_asked_raw(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base", context=128)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="has no chat template") as caught:
        LocalModel(folder, device="cpu").answer(["a"], SHORT)
    assert "--raw" in str(caught.value.remedy)
    assert LocalModel(folder, device="cpu", raw=True).answer(["a"], SHORT)[0].texts


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        LocalModel(tmp_path / "nowhere")


def test_answers_that_ran_out_of_tokens_are_counted(model: LocalModel) -> None:
    """Nothing but an end token can end a text within one token."""
    short = replace(DRAWN, max_tokens=1)
    for found in model.answer(PROMPTS, short):
        assert set(found.cut) >= {place for place, text in enumerate(found.texts) if text}
