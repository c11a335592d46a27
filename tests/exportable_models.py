"""Small models and tokenizers of the kinds that can be exported, built in code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, processors
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from models_on_disk import build_tokenizer
from support import VOCABULARY, build_llama


def build_qwen2(*, tied: bool) -> Qwen2ForCausalLM:
    """A random Qwen2, whose projections have biases."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY + 7,  # transformers adds a token of Qwen's to any tokenizer
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=tied,
    )
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return model


def write_changed(folder: Path, **changes: Any) -> Path:
    """The tiny Llama with other settings, and its tokenizer."""
    config = build_llama(attention="sdpa").config
    config.update(changes)
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    model.save_pretrained(str(folder))
    build_tokenizer().save_pretrained(str(folder))
    return folder


def build_sentencepiece() -> PreTrainedTokenizerFast:
    """Byte-pair encoding with byte fallback, as Llama 2 has it."""
    words = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256))]
    words += ["▁t", "he", "▁the", "▁", "t", "h", "e", "a", "n"]
    vocabulary = {word: index for index, word in enumerate(words)}
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he")]
    backend = Tokenizer(
        models.BPE(
            vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True
        )
    )
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
