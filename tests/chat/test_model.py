"""Real answers: streamed, in turns, with searches, adapters, heads of ILQL, and stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig

from luciola.chat.loading import Wanted, load_chat, recommended
from luciola.chat.model import ChatModel
from luciola.chat.settings import ChatSettings, changed, seed_of
from luciola.errors import ConfigError, LuciolaError, MissingExtraError, ModelError
from luciola.models.load import load_model
from luciola.models.q_heads import QCard, heads_for, save_heads
from luciola.models.quantization import check_possible
from luciola.rollout.ilql import IlqlModel
from luciola.types import Message
from support import build_llama, write_model

SHORT = ChatSettings(max_new_tokens=24)
ASKED = [Message("user", "what is 1+1?")]


@pytest.fixture(scope="module")
def chat(folder: Path) -> ChatModel:
    return load_chat(Wanted(str(folder), device="cpu"))[0]


@pytest.mark.parametrize(
    "words",
    [
        ["temperature=1"],
        ["temperature=0", "repetition_penalty=1.3"],
        ["beams=3"],
        ["contrastive_alpha=0.6"],
        ["temperature=1", "stop=e,a"],
    ],
)
def test_what_is_told_piece_by_piece_is_the_answer(chat: ChatModel, words: list[str]) -> None:
    told: list[str] = []
    reply = chat.answer(ASKED, changed(SHORT, words), seed=5, tell=told.append)
    assert "".join(told) == reply.text
    assert len(told) > 3 or reply.finish == "stop" or "beams=3" in words
    assert reply.seconds > 0
    assert reply.tokens <= 24


def test_the_model_sees_the_whole_conversation_through_its_template(chat: ChatModel) -> None:
    turns = [*ASKED, Message("assistant", "2"), Message("user", "sure?")]
    greedy = changed(SHORT, ["temperature=0"])
    prompt = "<user>what is 1+1?<end><assistant>2<end><user>sure?<end><assistant>"
    ids = chat.tokenizer(prompt, return_tensors="pt").input_ids
    assert chat.renderer.prompt_ids(turns) == ids[0].tolist()
    with torch.no_grad():
        first = int(chat.model(ids).logits[0, -1].argmax())
    assert chat.answer(turns, greedy).text.startswith(str(chat.tokenizer.decode([first])))


def test_the_seed_decides_the_answer(chat: ChatModel) -> None:
    texts = [chat.answer(ASKED, SHORT, seed=seed).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("words", [[], ["beams=2"]])
def test_many_conversations_together_are_answered_as_one_by_one(
    chat: ChatModel, words: list[str]
) -> None:
    settings = changed(SHORT, words)
    conversations = [[Message("user", text)] for text in ("a", "bcd" * 9, "e f")]
    together = chat.answer_all(conversations, settings, first=7)
    alone = [
        chat.answer(turns, settings, seed=seed_of(settings, 7 + number))
        for number, turns in enumerate(conversations)
    ]
    assert [reply.text for reply in together] == [reply.text for reply in alone]


def test_a_conversation_beyond_the_context_loses_its_oldest_turns(chat: ChatModel) -> None:
    turns = [Message(role, "x" * 50) for role in ["user", "assistant"] * 3]
    reply = chat.answer([*turns, *ASKED], SHORT)
    assert reply.left_out == 4
    failed = chat.answer_all([[Message("user", "x" * 300)], ASKED], SHORT)
    assert [reply.finish == "failed" for reply in failed] == [True, False]
    assert "context of 256" in failed[0].error
    with pytest.raises(LuciolaError, match="context of 256"):
        chat.answer([Message("user", "x" * 300)], SHORT)


def test_ctrl_c_ends_the_answer_with_what_was_heard(chat: ChatModel) -> None:
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        if len(told) == 4:
            raise KeyboardInterrupt

    settings = changed(SHORT, ["temperature=0"])
    reply = chat.answer(ASKED, settings, tell=tell)
    assert reply.finish == "interrupted"
    assert 0 < reply.tokens < 24
    assert chat.answer(ASKED, settings).text.startswith("".join(told[:3]))


def test_without_a_template_the_model_continues_texts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_model(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    chat, _ = load_chat(Wanted(str(tmp_path), device="cpu"))
    assert "has no chat template" in caplog.text
    assert chat.plain
    together = chat.answer([Message("user", "old"), *ASKED], SHORT)
    assert together.text == chat.answer(ASKED, SHORT).text


def test_a_model_brings_its_own_settings() -> None:
    model = build_llama()
    assert recommended(model) == ChatSettings()
    model.generation_config = GenerationConfig(do_sample=True, temperature=0.6, top_k=20)
    found = recommended(model)
    assert (found.temperature, found.top_k, found.top_p) == (0.6, 20, 0.9)


def adapted(folder: Path, out: Path) -> Path:
    """An adapter for the model in a folder that changes its answers."""
    import peft

    model = peft.get_peft_model(
        load_model(folder), peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.3)
    model.save_pretrained(str(out))
    return out


def test_an_adapter_is_put_on_the_model(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = adapted(folder, tmp_path / "adapter")
    settings = changed(SHORT, ["temperature=0"])
    with_it, without = (
        load_chat(Wanted(str(folder), adapter=name, device="cpu"))[0].answer(ASKED, settings).text
        for name in (str(adapter), "")
    )
    alone = load_chat(Wanted(str(adapter), device="cpu"))[0].answer(ASKED, settings).text
    assert with_it == alone != without
    assert "was trained on" not in caplog.text


def test_an_adapter_for_another_model_is_told(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    adapter = adapted(folder, tmp_path / "adapter")
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": "you"}))
    load_chat(Wanted(str(folder), adapter=str(adapter), device="cpu"))
    assert "was trained on you, and is put on" in caplog.text


def test_an_adapter_whose_tokens_the_model_lacks_is_refused(folder: Path, tmp_path: Path) -> None:
    """Its weights fit, but its tokenizer gives ids beyond the model's vocabulary."""
    from support import build_tokenizer

    adapter = adapted(folder, tmp_path / "adapter")
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": "you"}))
    tokenizer = build_tokenizer()
    tokenizer.add_tokens([f"<new{i}>" for i in range(9)])
    tokenizer.save_pretrained(str(adapter))
    with pytest.raises(ModelError, match=r"was trained with \d+ tokens, and .* knows \d+"):
        load_chat(Wanted(str(folder), adapter=str(adapter), device="cpu"))


def test_what_is_no_adapter_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="is not an adapter"):
        load_chat(Wanted(str(folder), adapter=str(folder), device="cpu"))
    with pytest.raises(ModelError, match="no such folder"):
        load_chat(Wanted(str(folder), adapter="nowhere", device="cpu"))


def test_four_bits_need_a_gpu_and_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Either is told in the words of whoever asked for few bits."""
    with pytest.raises(ConfigError, match="--four-bit needs a CUDA GPU"):
        check_possible("--four-bit", "cpu")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="--four-bit needs the package 'bitsandbytes'"):
        check_possible("--four-bit", "cuda")


def test_a_model_of_ilql_chats_with_q_minus_v(folder: Path, tmp_path: Path) -> None:
    """As `IlqlModel` answers, by its card unless told otherwise; beta changes the answer."""
    write_model(tmp_path)
    heads = heads_for(load_model(tmp_path), two_qs=True, run_seed=3)
    save_heads(
        heads, QCard(beta=40, top_k=0, temperature=0, max_new_tokens=20, chat=True), tmp_path
    )
    chat, settings = load_chat(Wanted(str(tmp_path), device="cpu"))
    assert (settings.beta, settings.temperature, settings.max_new_tokens) == (40, 0, 20)
    model = IlqlModel.load(tmp_path, "cpu")
    texts = {}
    for beta in (0.0, 40.0):
        expected = model.answer([ASKED], beta=beta)[0].text
        texts[beta] = chat.answer(ASKED, changed(settings, [f"beta={beta}"])).text
        assert texts[beta] == expected
    assert texts[0.0] != texts[40.0]


def test_beta_needs_the_heads(chat: ChatModel) -> None:
    with pytest.raises(ConfigError, match="trained with ILQL"):
        chat.answer(ASKED, changed(SHORT, ["beta=1"]))


@pytest.mark.gpu
def test_four_bits_answer_on_a_gpu(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    adapter = adapted(folder, tmp_path / "adapter")
    for name in ("", str(adapter)):
        chat, _ = load_chat(Wanted(str(folder), adapter=name, four_bit=True))
        assert any("4bit" in type(module).__name__ for module in chat.model.modules())
        assert chat.answer(ASKED, SHORT).tokens > 0
