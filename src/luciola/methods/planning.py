"""A recipe's memory before its model is loaded: the roles on the meta device, and a step of them.

Every method's own loss runs, on fake tensors (see `memory.simulation`). Worst cases are assumed: a
micro-batch that is full, every token of it trained, and rollouts as long as they may be.
"""

from __future__ import annotations

import copy
import logging
from functools import cached_property
from typing import Any, Literal

import torch
from torch import nn

from luciola.config.online import OnlineConfig
from luciola.config.training import TrainingConfig
from luciola.memory import attention
from luciola.memory.cards import Card
from luciola.memory.forecast import Forecast
from luciola.memory.lasting import Kept, Quantised, dequantised_bytes, lasting
from luciola.memory.simulation import Load, decoder_layers, keep_layers, predict
from luciola.methods.rehearsal import losses_of, roles_of
from luciola.models.empty import empty_model
from luciola.models.precision import Precision, choose_precision
from luciola.models.token_scores import piece

log = logging.getLogger(__name__)

MOST_TOKENS = 65_536
"""No micro-batch needs to be larger to keep a card busy."""
ROWS_SAMPLED = 256
"""Answers that the sampler has in the model at once on a GPU."""


class Planner:
    """Forecasts of a recipe.

    Args:
        config: the recipe.
        has_bfloat16: the card multiplies bfloat16.
        trained_share: of a micro-batch's tokens, those whose logits are needed.
    """

    def __init__(
        self, config: TrainingConfig, *, has_bfloat16: bool = True, trained_share: float = 1.0
    ) -> None:
        self.config = config
        self.autocast = config.precision in ("bf16", "fp16") or (
            config.precision == "auto" and has_bfloat16
        )
        self.trained_share = trained_share
        attention.register()

    def precision(self, device: torch.device) -> Precision:
        """The arithmetic that is forecast, on a device."""
        kind: Literal["bf16", "fp16", "fp32"] = "bf16" if self.autocast else "fp32"
        if self.autocast and self.config.precision == "fp16":
            kind = "fp16"
        return choose_precision(kind, device, full=self.config.adapter == "full")

    @cached_property
    def model(self) -> Any:
        """The bare model on the meta device, its weights in the run's type."""
        model: Any = empty_model(
            self.config.model,
            trust_remote_code=self.config.trust_remote_code,
            weights=False,
        )
        if not any(p.is_meta for p in model.parameters()):  # a GGUF file, or one with an adapter
            model = model.to("meta")
        half = self.autocast and self.config.adapter != "full"
        model.to(torch.bfloat16 if half else torch.float32)
        model.set_attn_implementation(attention.NAME)
        return model

    def roles(self, layers: int | None = None) -> nn.Module:
        """The roles on the meta device, with `layers` layers; None: all."""
        model = copy.deepcopy(self.model)
        if layers is not None:
            keep_layers(model, layers)
        return roles_of(self.config, model, autocast=self.autocast)

    @property
    def quantised(self) -> Quantised | None:
        """How the recipe keeps frozen weights."""
        return quantised_of(self.config)

    def forecast(self, micro_tokens: int, *, accumulates: bool | None = None) -> Forecast:
        """Memory with micro-batches of so many tokens.

        Args:
            accumulates: a step has several of them; None: as the recipe's batch says.
        """
        several = self.accumulates(micro_tokens) if accumulates is None else accumulates
        trained = max(1, min(micro_tokens, int(micro_tokens * self.trained_share)))
        load = Load(micro_tokens, trained, several)
        alike = self.config.adapter != "freeze" and decoder_layers(self.model)
        layers = int(self.model.config.get_text_config().num_hidden_layers) if alike else 0
        phases, note = {}, ""
        for phase, loss in losses_of(self.config).items():
            try:
                phases[phase] = predict(self.roles, loss, load, layers=layers)
            except Exception as error:  # a model that looks at its numbers cannot be run on shapes
                log.debug("%s", error)
                note = "by a rule of thumb: this model's step cannot be followed on shapes alone"
                phases[phase] = rule_of_thumb(self.model, load, self.config.checkpointing)
        if self.quantised is not None:
            spare = dequantised_bytes(self._full)
            phases = {k: {**v, "unpacked layer": spare} for k, v in phases.items()}
        if isinstance(self.config, OnlineConfig):
            phases["rollouts"] = self._rollouts(self.config)
        kept = lasting(self._full, self._kept)
        if not several:  # the micro-batch makes them; what it has at its peak is in the phase
            kept.pop("gradients", None)
        return Forecast(kept, phases, micro_tokens, note)

    def accumulates(self, micro_tokens: int) -> bool:
        """Whether a step has several micro-batches of this size."""
        return self._step_tokens > micro_tokens

    @cached_property
    def _full(self) -> nn.Module:
        return self.roles()

    @property
    def _step_tokens(self) -> int:
        answers = 2 if hasattr(self.config, "kept_prompt") else 1
        return self.config.batch * self.config.max_length * answers

    @property
    def _kept(self) -> Kept:
        config = self.config
        sampling = 0
        if isinstance(config, OnlineConfig):
            sampling = 2 if self.autocast else 4 * (config.adapter != "full")
        return Kept(config.optimizer, bool(config.ema), sampling, self.quantised)

    def _rollouts(self, config: OnlineConfig) -> dict[str, int]:
        """Keys, values and logits of as many answers as are sampled at once."""
        text = self.model.config.get_text_config()
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        rows = min(config.rollouts, ROWS_SAMPLED)
        size = 2 if self.autocast else 4
        cache = 2 * text.num_hidden_layers * heads * width * size * config.max_length * rows
        return {"KV cache": cache, "logits and loss": 3 * 4 * rows * text.vocab_size}

    def largest_fitting(self, card: Card) -> int | None:
        """The most tokens of a micro-batch that fit; None: not even one full example fits.

        Memory grows along a few straight lines with the tokens, so two forecasts give a good guess
        and a few more correct it.
        """
        low = self.config.max_length
        high = max(low, min(MOST_TOKENS, self._step_tokens))
        first = self.forecast(low)
        if not first.fits(card):
            return None
        last = self.forecast(high)
        if last.fits(card):
            return high
        known = [(low, first.of_phase("update")), (high, last.of_phase("update"))]
        for _ in range(4):
            (below, small), (above, large) = known
            share = (card.usable_bytes - small) / max(large - small, 1)
            guess = int(below + max(0.0, min(1.0, share)) * (above - below)) // 64 * 64
            if guess <= below:
                break
            found = self.forecast(guess)
            place = 0 if found.fits(card) else 1
            known[place] = (guess, found.of_phase("update"))
            if place == 0 and card.usable_bytes - known[0][1] < 0.02 * card.usable_bytes:
                break
        return known[0][0]


def quantised_of(config: TrainingConfig) -> Quantised | None:
    """How a recipe keeps frozen weights; None: in the run's type."""
    kind = getattr(config, "quantisation", "none")
    return None if kind == "none" else Quantised(8 if kind == "int8" else 4)


def rule_of_thumb(model: Any, load: Load, checkpointing: bool) -> dict[str, int]:
    """Inputs and outputs of every linear layer in 2 bytes a number and a half more for the rest;
    three float32 copies of the logits that are computed at once.
    """
    text = model.config.get_text_config()
    layers = [m for n, m in model.named_modules() if isinstance(m, nn.Linear) and "head" not in n]
    numbers = sum(m.in_features + m.out_features for m in layers)
    if checkpointing:
        numbers = numbers // text.num_hidden_layers + text.num_hidden_layers * text.hidden_size
    at_once = min(load.trained, piece(text.vocab_size, "cuda"))
    return {
        "layers": 3 * load.tokens * numbers,
        "logits and loss": 12 * at_once * text.vocab_size,
    }
