"""Prefix, prompt and p-tuning: a model with trained tokens before the text, behind one forward pass
that any caller may use as if they were not there.

peft's own pass drops positions and shifts outputs. Here positions go on behind the virtual tokens,
`logits_to_keep` names columns of the text, and a cache that already holds them is gone on with.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModelForCausalLM, PeftType
from torch import Tensor


class Prompted(PeftModelForCausalLM):
    """A peft model with virtual tokens before the text of each row."""

    word_embeddings: Any

    def forward(  # type: ignore[override]  # the base's arguments, by the base's names
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        **options: Any,
    ) -> Any:
        """As the base's, over ids (B, T); the outputs are those of the text's columns."""
        count = self.active_peft_config.num_virtual_tokens
        held = past_key_values.get_seq_length() if past_key_values is not None else 0
        if position_ids is None:
            start = max(held - count, 0)
            position_ids = torch.arange(start, start + input_ids.shape[1], device=input_ids.device)
            position_ids = position_ids[None]
        options["position_ids"] = position_ids + count
        options["attention_mask"] = _longer(attention_mask, count)
        if held:
            return self.base_model(input_ids=input_ids, past_key_values=past_key_values, **options)
        if self.active_peft_config.peft_type == PeftType.PREFIX_TUNING:
            past_key_values = _in_type(
                self.get_prompt(len(input_ids)), self.word_embeddings.weight.dtype
            )
            return self.base_model(input_ids=input_ids, past_key_values=past_key_values, **options)
        return self._behind_prompt(input_ids, count, past_key_values, options)

    def _behind_prompt(self, ids: Tensor, count: int, cache: Any, options: dict[str, Any]) -> Any:
        """The base over the embeddings of prompt and text."""
        text = self.word_embeddings(ids)
        prompt = self.get_prompt(len(ids)).to(text.dtype)
        own = torch.arange(count, device=ids.device).expand(len(ids), -1)
        options["position_ids"] = torch.cat(
            [own, options["position_ids"].expand(len(ids), -1)], dim=1
        )
        kept = options.get("logits_to_keep", 0)
        if isinstance(kept, Tensor):
            options["logits_to_keep"] = kept + count
        outputs = self.base_model(
            inputs_embeds=torch.cat([prompt, text], dim=1), past_key_values=cache, **options
        )
        if outputs.logits.shape[1] == count + ids.shape[1]:  # of every column
            outputs.logits = outputs.logits[:, count:]
            if isinstance(kept, Tensor):
                outputs.logits = outputs.logits[:, kept]
        return outputs


def _longer(mask: Tensor | None, count: int) -> Tensor | None:
    """A mask (B, T) with the virtual tokens in front, which all see."""
    return None if mask is None else torch.cat([mask.new_ones(len(mask), count), mask], dim=1)


def _in_type(cache: Any, dtype: torch.dtype) -> Any:
    """A cache of keys and values in the type that the base computes in."""
    for layer in cache.layers:
        layer.keys, layer.values = layer.keys.to(dtype), layer.values.to(dtype)
    return cache
