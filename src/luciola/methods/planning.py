"""A recipe's memory before its model is loaded: the roles on the meta device, and a step of them.

Every method's own loss runs, on fake tensors (see `memory.simulation`). Worst cases are assumed: a
micro-batch that is full, every token of it trained, and rollouts as long as they may be.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from luciola.config.ilql import IlqlConfig
from luciola.config.online import ActorCriticConfig, OnlineConfig
from luciola.config.preference import RewardConfig
from luciola.config.training import TrainingConfig
from luciola.errors import TrainingError
from luciola.memory import attention
from luciola.memory.cards import Card
from luciola.memory.forecast import Forecast, gib
from luciola.memory.lasting import Kept, Quantised, dequantised_bytes, lasting
from luciola.memory.simulation import Load, Loss, decoder_layers, keep_layers, predict
from luciola.methods.online.algorithms import Now, algorithm_for, critic_of
from luciola.methods.preparation import adapt
from luciola.models.actor_critic import ActorCritic
from luciola.models.batch import Batch
from luciola.models.empty import empty_model
from luciola.models.q_heads import QRoles, heads_for
from luciola.models.roles import Policy
from luciola.models.roles_building import build_roles
from luciola.objectives.distributions import entropy, token_logprobs
from luciola.objectives.ilql import ilql_loss
from luciola.objectives.language import correct_tokens, negative_log_likelihood

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
        self.autocast = config.precision == "bf16" or (config.precision == "auto" and has_bfloat16)
        self.trained_share = trained_share
        attention.register()

    @cached_property
    def model(self) -> Any:
        """The bare model on the meta device, its weights in the run's type."""
        model: Any = empty_model(self.config.model)
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
        alike = self.config.model and decoder_layers(self.model)
        layers = int(self.model.config.get_text_config().num_hidden_layers) if alike else 0
        phases, note = {}, ""
        for phase, loss in losses_of(self.config).items():
            try:
                phases[phase] = predict(self.roles, loss, load, layers=layers)
            except Exception as error:  # a model that looks at its numbers cannot be run on shapes
                note = f"by a rule of thumb: the model's step could not be followed ({error!s:.60})"
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
    kind = str(getattr(config, "quantize", "") or getattr(config, "quantization", "") or "")
    if "8" in kind:
        return Quantised(8)
    four = "4" in kind or config.adapter == "qlora"  # type: ignore[comparison-overlap]
    return Quantised(4) if four else None


def roles_of(config: TrainingConfig, model: Any, *, autocast: bool) -> nn.Module:
    """The module that the recipe's method trains, over a model on any device."""
    if config.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    trained = adapt(model, config)
    trained.train()
    if isinstance(config, IlqlConfig):
        heads = heads_for(trained, two_qs=config.two_qs, run_seed=config.seed)
        return QRoles(trained, heads, autocast=autocast)
    if not isinstance(config, OnlineConfig):
        return Policy(trained, autocast=autocast)
    return build_roles(
        trained,
        adapter=config.adapter,
        lora=config.lora,
        continued=False,
        critic=critic_of(config),  # type: ignore[arg-type]
        value_init="zero",
        reference=None,
        autocast=autocast,
        run_seed=config.seed,
    )


def losses_of(config: TrainingConfig) -> dict[str, Loss]:
    """The passes of a method over a micro-batch, by phase."""
    if isinstance(config, OnlineConfig):
        return {"update": _online_loss(config), "feedback": _feedback(config)}
    if isinstance(config, IlqlConfig):
        return {"update": _ilql_loss(config)}
    return {"update": _head_alone if isinstance(config, RewardConfig) else _language_loss}


def _language_loss(roles: nn.Module, batch: Batch) -> Tensor:
    logits = roles(batch)
    correct_tokens(logits, batch.labels)
    return negative_log_likelihood(logits, batch.labels)


def _head_alone(roles: nn.Module, batch: Batch) -> Tensor:
    """A reward model needs one output an answer; here one in 32 tokens."""
    few = slice(0, max(1, len(batch.labels) // 32))
    ends = replace(
        batch, rows=batch.rows[few], columns=batch.columns[few], labels=batch.labels[few]
    )
    return roles(ends)[:, :1].sum()


class _Zeros(dict[str, Tensor]):
    """Any column, all zeros."""

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        self.like = like

    def __missing__(self, name: str) -> Tensor:
        return self.like.new_zeros(self.like.shape, dtype=torch.float32)


def _online_loss(config: OnlineConfig) -> Loss:
    algorithm = algorithm_for(config)  # type: ignore[arg-type]

    def loss(roles: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(roles, ActorCritic)
        reference = None
        if algorithm.needs_reference:
            reference = roles.reference_logits(batch) / config.temperature
        now = Now.of(roles(batch), batch.labels, config.temperature, reference)
        terms = algorithm.terms(now, _Zeros(batch.labels))
        return torch.stack([t.scale * t.sum for t in terms.values() if t.scale]).sum()

    return loss


def _feedback(config: OnlineConfig) -> Loss:
    """What `online.feedback` reads before an update."""

    @torch.no_grad()
    def loss(roles: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(roles, ActorCritic)
        outputs = roles(batch)
        logits = outputs.logits / config.temperature
        reference = roles.reference_logits(batch) / config.temperature
        token_logprobs(logits, batch.labels)
        token_logprobs(reference, batch.labels)
        return entropy(logits).sum()

    return loss


def _ilql_loss(config: IlqlConfig) -> Loss:
    def loss(roles: nn.Module, batch: Batch) -> Tensor:
        now = roles(batch)
        found = ilql_loss(
            now.logits[None, :-1],
            [q[None, :-1] for q in now.qs],
            [q[None, :-1] for q in now.target_qs],
            now.values[None, :, 0],
            batch.labels[None, :-1],
            batch.labels[None, :-1].float(),
            batch.labels[None] == 0,
            tau=config.tau,
            gamma=config.gamma,
            beta=config.awac_beta,
        )
        return found.total(cql_scale=config.cql_scale, awac_scale=config.awac_scale)

    return loss


def rule_of_thumb(model: Any, load: Load, checkpointing: bool) -> dict[str, int]:
    """Inputs and outputs of every linear layer in 2 bytes a number and a half more for the rest;
    three float32 copies of the logits.
    """
    text = model.config.get_text_config()
    layers = [m for n, m in model.named_modules() if isinstance(m, nn.Linear) and "head" not in n]
    numbers = sum(m.in_features + m.out_features for m in layers)
    if checkpointing:
        numbers = numbers // text.num_hidden_layers + text.num_hidden_layers * text.hidden_size
    return {
        "layers": 3 * load.tokens * numbers,
        "logits and loss": 12 * load.trained * text.vocab_size,
    }


def too_large(
    config: TrainingConfig, detail: str, card: Card | None, *, processes: int = 1
) -> TrainingError:
    """The error where one example alone does not fit: the largest parts, the cheapest remedy.

    Args:
        detail: what torch said.
        processes: of the run; with several, no step is taken again in smaller micro-batches.
    """
    planner = Planner(config, has_bfloat16=card is None or card.has_bfloat16)
    forecast = planner.forecast(config.max_length)
    parts = ", ".join(f"{name} {gib(size)}" for name, size in forecast.largest())
    savings = remedies(config, forecast.peak, planner)
    listed = "; ".join(f"{what} (-{gib(saved)})" for what, saved in savings[:3])
    return TrainingError(
        f"out of memory {_when(config, processes)} ({detail.splitlines()[0]:.120}); "
        f"the largest parts are {parts}",
        remedy=f"Cheapest first: {listed or 'a smaller max_length, or a smaller model'}.",
    )


def _when(config: TrainingConfig, processes: int) -> str:
    if processes > 1:
        return f"in one of {processes} processes; a smaller micro_tokens needs less"
    return f"with one example of up to {config.max_length:,} tokens in a micro-batch"


def remedies(
    config: TrainingConfig, peak: int, planner: Planner | None = None
) -> list[tuple[str, int]]:
    """Settings that would lower the peak, and by how many bytes; those that cost least first."""
    bfloat16 = planner is None or planner.autocast or config.precision == "fp32"
    found = []
    for text, changes in _changes(config).items():
        try:
            other: Any = replace(config, **changes)
            less = Planner(other, has_bfloat16=bfloat16).forecast(other.max_length)
        except Exception:  # the recipe forbids the combination
            continue
        if peak - less.peak > 0.02 * peak:
            found.append((text, peak - less.peak))
    return found


def _changes(config: TrainingConfig) -> Mapping[str, dict[str, Any]]:
    changes: dict[str, dict[str, Any]] = {}
    if not config.checkpointing:
        changes["checkpointing=true"] = {"checkpointing": True}
    if config.optimizer == "adamw":
        changes["optimizer=adamw8bit"] = {"optimizer": "adamw8bit"}
    if config.adapter == "full":
        changes["adapter=lora"] = {"adapter": "lora"}
    if config.ema:
        changes["ema=0"] = {"ema": 0.0}
    if isinstance(config, ActorCriticConfig) and config.critic == "separate":
        changes["critic=shared"] = {"critic": "shared"}
    if config.adapter == "lora":
        changes["adapter=qlora"] = {"adapter": "qlora"}
    changes[f"max_length={config.max_length // 2}"] = {"max_length": config.max_length // 2}
    return changes
