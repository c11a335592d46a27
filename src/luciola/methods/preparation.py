"""From a recipe to a model that is ready to train: loading, adapters, precision, packing, the
optimizer.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luciola.config.training import VIRTUAL, TrainingConfig
from luciola.errors import ConfigError
from luciola.methods.examples import Examples
from luciola.methods.stream import Kind, Plan
from luciola.methods.trainee import Loaded, Trainee
from luciola.models import pissa
from luciola.models.adapter_kinds import peft_settings
from luciola.models.adapters import (
    attach_adapter,
    continue_adapter,
    count_parameters,
    merged,
    train_last_layers,
)
from luciola.models.attention import NAME as ISOLATING
from luciola.models.classifier import whole_classifier
from luciola.models.classifier_adapters import adapt_classifier
from luciola.models.empty import empty_model
from luciola.models.load import load_model, load_tokenizer
from luciola.models.new_tokens import grow, with_tokens
from luciola.models.precision import Precision, choose_precision
from luciola.models.probe import isolates
from luciola.models.quantization import load_quantised
from luciola.models.recomputing import recompute_activations
from luciola.models.roles import Policy
from luciola.models.virtual_tokens import has_virtual_tokens
from luciola.training.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)


def prepare(config: TrainingConfig, world: World, *, shared_prefixes: bool) -> Trainee:
    """The model as the only role, made trainable as the recipe says; see `load_trainable`."""
    loaded = load_trainable(config, world, shared_prefixes=shared_prefixes)
    autocast = loaded.precision.autocast
    policy = Policy(loaded.model, autocast=autocast, neftune_alpha=config.neftune_alpha)
    return loaded.trainee(policy, world)


def load_trainable(config: TrainingConfig, world: World, *, shared_prefixes: bool) -> Loaded:
    """Load the model and make it trainable as the recipe says.

    Args:
        shared_prefixes: the data's examples begin alike, so that trees would save work.
    """
    precision = begin(config, world)
    model = load(config, world.device, precision)
    continued = hasattr(model, "peft_config")
    if config.checkpointing:
        recompute_activations(model)
    trained = adapt(model, config).train()
    kind = choose_packing(config, trained, precision, shared_prefixes=shared_prefixes)
    if config.compile:
        compile_layers(trained)
    return Loaded(trained, precision, kind, continued)


def begin(config: TrainingConfig, world: World) -> Precision:
    """Choose kernels and arithmetic; comes before the model is loaded."""
    make_deterministic(config.deterministic)
    return choose_precision(config.precision, world.device, full=config.adapter == "full")


def describe_plan(config: TrainingConfig, examples: Examples) -> str:
    """What a run would train, without loading its weights: for --dry-run.

    Raises: ModelError if the model cannot be used.
    """
    count = count_parameters(
        adapt(empty_model(config.model, trust_remote_code=config.trust_remote_code), config)
    )
    steps = Plan(
        examples.source, examples.order, config.batch, config.epochs, config.max_steps, "packed", 1
    )
    lines = [
        f"would train {count} of {config.model}",
        *examples.notes,
        examples.statistics.text(in_trees=examples.shared_prefixes and _may_be_trees(config)),
        f"{len(steps):,} steps of {config.batch} examples, {steps.steps_per_epoch:,} an epoch",
    ]
    if examples.held_out:
        lines.append(f"{len(examples.held_out):,} examples held out for evaluation")
    return "\n".join(lines)


def _may_be_trees(config: TrainingConfig) -> bool:
    """Whether the recipe lets rows be trees, where the data and the model do."""
    return config.packing in ("auto", "tree") and config.adapter not in VIRTUAL


def load(config: TrainingConfig, device: torch.device, precision: Precision) -> PreTrainedModel:
    """The base model in the run's weights' type, with attention that can isolate examples."""
    attention: str = config.attention
    if attention == "auto":
        attention = "sdpa" if config.packing == "padded" else ISOLATING
    trusted = config.trust_remote_code
    if config.quantisation != "none":
        return load_quantised(
            config.model,
            config.quantisation,
            device,
            attention=attention,
            compute=precision.compute,
            trust_remote_code=trusted,
        )
    return load_model(
        config.model,
        dtype=precision.weights,
        device=device,
        attention=attention,
        trust_remote_code=trusted,
    )


def adapt(model: PreTrainedModel, config: TrainingConfig) -> nn.Module:
    """Choose what is trained: every weight, the last layers, or an adapter on frozen ones.

    A model that comes with an adapter goes on with that one, or takes it into its weights.
    """
    has_adapter = hasattr(model, "peft_config")
    new_ids = _grown(model, config) if config.new_tokens and not has_adapter else []
    if config.adapter not in ("full", "freeze"):
        if has_adapter:
            return continue_adapter(model)
        return attach_adapter(model, config, new_ids=new_ids)
    whole = merged(model) if has_adapter else model
    if config.adapter == "freeze":
        return train_last_layers(whole, config.freeze_layers)
    whole.requires_grad_(True)
    return whole


def tokenizer_of(config: TrainingConfig) -> PreTrainedTokenizerBase:
    """The model's tokenizer, with the recipe's new tokens."""
    return with_tokens(
        load_tokenizer(config.model, trust_remote_code=config.trust_remote_code), config.new_tokens
    )


def _grown(model: PreTrainedModel, config: TrainingConfig) -> list[int]:
    """Make room for the new tokens; returns their ids."""
    tokenizer = tokenizer_of(config)
    grow(model, len(tokenizer))
    found: Any = tokenizer.convert_tokens_to_ids(list(config.new_tokens))
    return list(found)


def adapt_scorer(classifier: PreTrainedModel, config: TrainingConfig) -> nn.Module:
    """The same for a reward model, whose head is always trained.

    Raises: ConfigError for virtual tokens: peft has no classifier of one output behind them.
    """
    kind = config.adapter
    if config.new_tokens:
        raise ConfigError(
            "new_tokens: a reward model reads the tokens that its base knows",
            remedy="Fine-tune the base with new_tokens first, merge, and take that model.",
        )
    if kind in VIRTUAL:
        raise ConfigError(
            f"a reward model cannot be trained with adapter={kind}",
            remedy="Take adapter=lora, or another that stands in the layers.",
        )
    whole = kind in ("full", "freeze")
    model = adapt_classifier(
        classifier,
        config.model,
        config.lora,
        full=whole,
        run_seed=config.seed,
        settings=None if whole else peft_settings(config, classifier),
    )
    if kind == "freeze":
        train_last_layers(model, config.freeze_layers)
        whole_classifier(model).score.requires_grad_(True)
    if kind == "pissa":
        pissa.begin(model, run_seed=config.seed)
    return model


def choose_packing(
    config: TrainingConfig, model: nn.Module, precision: Precision, *, shared_prefixes: bool
) -> Kind:
    """The layout asked for, or the best one; the model is asked whether it keeps examples apart."""
    wanted: Kind = "tree" if shared_prefixes else "packed"
    if config.packing != "auto":
        wanted = config.packing
    if wanted == "padded" or has_virtual_tokens(model):
        return "padded"
    vocabulary = int(model.config.get_text_config().vocab_size)  # type: ignore[operator, union-attr]
    if isolates(model, wanted, vocabulary=vocabulary, autocast=precision.autocast):
        return wanted
    log.warning(
        "%s rows of this model would see each other, so it trains padded (slower, same result)",
        wanted,
    )
    return "padded"


def compile_layers(model: nn.Module) -> None:
    """Compile each decoder layer by itself: one compilation serves all of them."""
    for module in model.modules():
        if type(module).__name__.endswith("DecoderLayer"):
            module.compile(dynamic=True)


def make_deterministic(wanted: bool) -> None:
    """Bit-exact kernels on the GPU, at some cost; on the CPU they are exact anyway."""
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        os.environ["FLASH_ATTENTION_DETERMINISTIC"] = "1"  # which transformers reads
    torch.use_deterministic_algorithms(wanted)


def default_micro_tokens(device: torch.device) -> int:
    """Tokens per forward pass where the recipe does not say: what a small model needs to be
    fast.
    """
    return 16_384 if device.type == "cuda" else 4_096
