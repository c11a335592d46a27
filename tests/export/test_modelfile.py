"""Ollama's Modelfile follows from the tokenizer's chat template, or says that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from exportable_models import build_sentencepiece
from luciola.export.modelfile import go_template, modelfile, pattern_of
from luciola.export.vocabulary import vocabulary_of
from luciola.models import catalogue
from luciola.models.load import load_tokenizer
from models_on_disk import build_tokenizer

CHATML = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are kind.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MISTRAL = (
    "{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'assistant' %} {{ m['content'] }}<end>"
    "{% else %}{{ raise_exception('no system messages') }}{% endif %}{% endfor %}"
)
COUNTING = "{% for m in messages %}{{ loop.index }}{{ m['role'] }}{{ m['content'] }}{% endfor %}"


def with_template(template: str) -> Any:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = template
    return tokenizer


def test_a_template_by_roles_is_taken_over_with_its_default_system_message() -> None:
    pattern = pattern_of(with_template(CHATML))
    assert pattern is not None
    assert pattern.system == "You are kind."
    assert go_template(pattern) == (
        '{{ range .Messages }}{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}'
        '<|im_end|>\n{{ else if eq .Role "user" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n'
        '{{ else if eq .Role "assistant" }}<|im_start|>assistant\n{{ .Content }}<|im_end|>\n'
        "{{ end }}{{ end }}<|im_start|>assistant\n"
    )


def test_a_template_that_refuses_system_messages_has_no_place_for_them() -> None:
    pattern = pattern_of(with_template(MISTRAL))
    assert pattern is not None
    assert list(pattern.frames) == ["user", "assistant"]
    assert pattern.frames["user"].before == "[INST] "
    assert pattern.frames["user"].after == " [/INST]"
    assert pattern.frames["assistant"].before == " "


def test_a_begin_token_that_is_put_before_every_text_is_not_written_again() -> None:
    """llama.cpp adds it, as the tokenizer does."""
    tokenizer = build_sentencepiece()
    tokenizer.chat_template = "{{ bos_token }}" + MISTRAL
    pattern = pattern_of(tokenizer)
    assert pattern is not None
    assert "<s>" not in go_template(pattern) + pattern.system


@pytest.mark.parametrize("template", [COUNTING, CHATML.replace("You are kind.", '"""')])
def test_a_template_that_cannot_be_taken_over_is_left_out(template: str) -> None:
    tokenizer = with_template(template)
    assert pattern_of(tokenizer) is None
    text = modelfile("m.gguf", tokenizer, ["<end>"])
    assert text.startswith("FROM ./m.gguf\n# TEMPLATE: ")
    assert text.endswith('\nPARAMETER stop "<end>"\n')


def test_a_model_without_a_template_has_weights_and_ends_only() -> None:
    tokenizer = build_tokenizer()
    tokenizer.chat_template = None
    text = modelfile("m.gguf", tokenizer, ["<end>"])
    assert text == 'FROM ./m.gguf\nPARAMETER stop "<end>"\n'


@pytest.mark.model
@pytest.mark.skipif(not catalogue.is_present("smollm2-135m"), reason="the demo model is not here")
def test_the_real_small_tokenizer_is_taken_over() -> None:
    tokenizer = load_tokenizer("smollm2-135m")
    found = vocabulary_of(tokenizer, 49152)
    assert (found.model, found.splitter) == ("gpt2", "gpt-2")
    assert found.types.count(3) == 17
    assert found.merges[0] == "Ġ t"
    pattern = pattern_of(tokenizer)
    assert pattern is not None
    assert pattern.system.startswith("You are a helpful AI assistant")
    assert pattern.frames["user"].before == "<|im_start|>user\n"
