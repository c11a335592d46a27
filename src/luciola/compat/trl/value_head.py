"""AutoModelForCausalLMWithValueHead: a language model, and a value for each of its positions.

Left out: the encoder-decoder twin, reward adapters, pushing to the hub.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from luciola.compat.trl.errors import ClassicError
from luciola.compat.trl.weights import HEAD, load_language_model, read_head, write_head

DROPOUT = 0.1
"""Share of the head's inputs set to zero in training mode, in which the trainer never runs it."""


class ValueHead(nn.Module):
    """V = w·h + b on the last hidden state, float32, behind a dropout.

    Args:
        config: of the language model; its `summary_dropout_prob` wins over the argument's.
        summary_dropout_prob: share of the inputs set to zero in training mode.
    """

    def __init__(self, config: Any, summary_dropout_prob: float = DROPOUT) -> None:
        super().__init__()
        share = getattr(config, "summary_dropout_prob", summary_dropout_prob)
        self.dropout = nn.Dropout(share) if share else nn.Identity()
        self.summary = nn.Linear(hidden_size(config), 1)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(B, T, H) of any float type to (B, T, 1) in the head's own."""
        return self.summary(self.dropout(hidden_states).to(self.summary.weight.dtype))


def hidden_size(config: Any) -> int:
    """Width of the last hidden state.

    Raises: ClassicError where the configuration does not say.
    """
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    for name in ("word_embed_proj_dim", "hidden_size", "n_embd"):
        if getattr(text, name, None):
            return int(getattr(text, name))
    raise ClassicError(f"{type(config).__name__} does not say how wide its hidden states are")


class AutoModelForCausalLMWithValueHead(nn.Module):
    """A causal language model with a value head.

    Args:
        pretrained_model: of transformers, or inside peft.
        summary_dropout_prob: see `ValueHead`.
        v_head_init_strategy: "normal": weights from N(0, v_head_initializer_range), bias 0; None:
            torch's own start of a linear layer.
    """

    def __init__(
        self,
        pretrained_model: Any,
        *,
        summary_dropout_prob: float = DROPOUT,
        v_head_init_strategy: Literal["normal"] | None = None,
        v_head_initializer_range: float = 0.2,
    ) -> None:
        super().__init__()
        self.pretrained_model = pretrained_model
        self.is_peft_model = hasattr(pretrained_model, "peft_config")
        self.v_head = ValueHead(pretrained_model.config, summary_dropout_prob)
        if v_head_init_strategy == "normal":
            self.v_head.summary.weight.data.normal_(mean=0.0, std=v_head_initializer_range)
            self.v_head.summary.bias.data.zero_()
        elif v_head_init_strategy is not None:
            raise ClassicError(
                f"v_head_init_strategy must be None or 'normal', got {v_head_init_strategy!r}"
            )

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Any,
        *,
        peft_config: Any = None,
        is_trainable: bool = False,
        summary_dropout_prob: float = DROPOUT,
        v_head_init_strategy: Literal["normal"] | None = None,
        v_head_initializer_range: float = 0.2,
        **loading: Any,
    ) -> AutoModelForCausalLMWithValueHead:
        """Load a model, and its value head where the folder has one; else the head begins anew.

        Args:
            pretrained_model_name_or_path: hub id, bundled name, folder (of a model, of an adapter,
                of what the original or `save_pretrained` wrote), or a model that is loaded already.
            peft_config: of peft; the model is frozen and gets this adapter.
            is_trainable: go on training the adapter that the folder holds.
            loading: for transformers' own `from_pretrained` (dtype, torch_dtype, device_map, ...).

        Raises: ModelError where the model cannot be found or loaded.
        """
        language_model = load_language_model(
            pretrained_model_name_or_path,
            peft_config=peft_config,
            is_trainable=is_trainable,
            loading=loading,
        )
        model = cls(
            language_model,
            summary_dropout_prob=summary_dropout_prob,
            v_head_init_strategy=v_head_init_strategy,
            v_head_initializer_range=v_head_initializer_range,
        )
        head = read_head(pretrained_model_name_or_path)
        if head is not None:
            model.v_head.load_state_dict(head)
        model.v_head.to(language_model.device)
        return model.eval()

    def forward(
        self,
        input_ids: Tensor | None = None,
        past_key_values: Any = None,
        attention_mask: Tensor | None = None,
        return_past_key_values: bool = False,
        **inputs: Any,
    ) -> tuple[Any, ...]:
        """(logits (B, T, V) float32, loss or None, values (B, T)), and the cache where asked for.

        Positions are counted from each row's first real token, which under left padding the
        original did not do; under right padding nothing differs.
        Args:
            attention_mask: (B, T), 0 on padding.
            inputs: whatever else the language model takes (labels, position_ids, ...).
        """
        inputs["output_hidden_states"] = True
        if past_key_values is not None:
            inputs["past_key_values"] = past_key_values
        elif attention_mask is not None and self._needs_positions(inputs):
            inputs["position_ids"] = positions(attention_mask)
        out = self.pretrained_model(input_ids=input_ids, attention_mask=attention_mask, **inputs)
        values = self.v_head(out.hidden_states[-1].to(self.v_head.summary.weight.device))
        result = (out.logits.float(), out.loss, values.squeeze(-1))
        return (*result, out.past_key_values) if return_past_key_values else result

    def _needs_positions(self, inputs: Mapping[str, Any]) -> bool:
        import inspect

        if "position_ids" in inputs:
            return False
        bare = self.pretrained_model
        bare = bare.get_base_model() if self.is_peft_model else bare
        return "position_ids" in inspect.signature(bare.forward).parameters

    def generate(self, *args: Any, **settings: Any) -> Any:
        """The language model's own `generate`."""
        return self.pretrained_model.generate(*args, **settings)

    @property
    def config(self) -> Any:
        """The language model's configuration."""
        return self.pretrained_model.config

    @property
    def device(self) -> torch.device:
        """Where the language model lies."""
        return torch.device(self.pretrained_model.device)

    def state_dict(  # type: ignore[override]
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """The language model's weights under their own names, and `v_head.summary.{weight,bias}`.

        Of a model inside peft only the head's, as in the original.
        """
        state = {} if destination is None else destination
        if not self.is_peft_model:
            self.pretrained_model.state_dict(destination=state, prefix=prefix, keep_vars=keep_vars)
        self.v_head.state_dict(destination=state, prefix=f"{prefix}{HEAD}", keep_vars=keep_vars)
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Take over what `state_dict` gave, or the same with "pretrained_model." before the names.

        Returns: names that were missing and unexpected, where not strict.
        """
        named = {name.removeprefix("pretrained_model."): v for name, v in state_dict.items()}
        head = {k.removeprefix(HEAD): v for k, v in named.items() if k.startswith(HEAD)}
        rest = {k: v for k, v in named.items() if not k.startswith(HEAD)}
        found = self.v_head.load_state_dict(head, strict=strict, assign=assign)
        if self.is_peft_model and not rest:
            return found
        below = self.pretrained_model.load_state_dict(rest, strict=strict, assign=assign)
        below.missing_keys.extend(f"{HEAD}{name}" for name in found.missing_keys)
        return below

    def save_pretrained(self, save_directory: str | Path) -> None:
        """A folder that plain transformers (or peft) loads, and the head in a file beside it."""
        folder = Path(save_directory)
        folder.mkdir(parents=True, exist_ok=True)
        self.pretrained_model.save_pretrained(str(folder))
        write_head(self.v_head, folder)


def positions(attention_mask: Tensor) -> Tensor:
    """(B, T) int64: distance from the row's first real token, 0 before it.

    What follows the last real token is counted on, as a model does by itself.
    """
    columns = torch.arange(attention_mask.shape[1], device=attention_mask.device)
    first = attention_mask.long().argmax(dim=1, keepdim=True)
    return (columns[None, :] - first).clamp(min=0)
