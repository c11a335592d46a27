"""From a TRLConfig to the settings of our recipes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from luciola.compat.trlx.config import TRLConfig
from luciola.compat.trlx.sections import ILQLConfig, PPOConfig
from luciola.errors import ConfigError

log = logging.getLogger(__name__)

Settings = dict[str, Any]
IDLE = (
    "method.chunk_size",
    "method.ref_mean",
    "method.ref_std",
    "model.model_extra_configs",
    "tokenizer.tokenizer_extra_configs",
    "train.minibatch_size",
    "train.save_best",
    "train.entity_name",
    "train.group_name",
    "train.logging_dir",
    "train.rollout_logging_dir",
    "train.tags",
)
"""What is accepted so that old configurations load, and changes nothing here."""
OPTIMIZERS = {"adamw": "adamw", "adamw_8bit_bnb": "adamw8bit"}
RATES = {"lr": "lr", "betas": "betas", "weight_decay": "weight_decay", "eps": "adam_eps"}
LORA = {"r": "r", "lora_alpha": "alpha", "lora_dropout": "dropout", "target_modules": "targets"}
FILTERS = {"top_k": 0, "top_p": 1.0, "do_sample": True, "repetition_penalty": 1.0}
"""What sampling for PPO does not filter: the log-probabilities are those of the plain softmax."""


def common(config: TRLConfig, model: str) -> Settings:
    """What every method takes: the model, the optimizer, the steps, the run.

    Args:
        model: what `train` was given; empty: the configuration's.

    Raises: ConfigError for what has no counterpart here.
    """
    train = config.train
    name = model or config.model.model_path
    _check_model(config, name)
    _tell_idle(config)
    found: Settings = {
        "model": name,
        "out": train.checkpoint_dir,
        "seed": train.seed,
        "batch": train.batch_size,
        "max_length": train.seq_length,
        "max_steps": train.total_steps,
        "eval_every": train.eval_interval,
        "save_every": train.checkpoint_interval,
        "track": [train.tracker] if train.tracker else [],
        "warmup": 0,
        "max_grad_norm": 0,
    }
    return {**found, **_adapter(config.model.peft_config), **_optimizer(config)}


def ppo(config: TRLConfig, model: str, stop: Sequence[str]) -> Settings:
    """Settings of `luciola train ppo`; an epoch of trlx is an iteration.

    Raises: ConfigError for what has no counterpart here.
    """
    method = config.method
    assert isinstance(method, PPOConfig)
    sampling = method.gen_experience_kwargs or method.gen_kwargs
    _check_filters(sampling)
    return {
        **common(config, model),
        "iterations": config.train.epochs,
        "rollouts": method.num_rollouts,
        "updates": method.ppo_epochs,
        "kl_coef": method.init_kl_coef,
        "kl_target": method.target or 0,
        "kl_horizon": method.horizon,
        "gamma": method.gamma,
        "lam": method.lam,
        "clip": method.cliprange,
        "clip_value": method.cliprange_value,
        "vf_coef": method.vf_coef,
        "critic": "separate" if method.num_value_layers_unfrozen else "shared",
        "score_scaling": _scaling(method.scale_reward),
        "score_clip": method.cliprange_reward or 0,
        "max_new_tokens": sampling.get("max_new_tokens", 40),
        "temperature": sampling.get("temperature", 1.0),
        "stop": list(stop),
        "prompt_format": "text",
    }


def ilql(config: TRLConfig, model: str) -> Settings:
    """Settings of `luciola train ilql`; a list of betas is evaluated one by one.

    Raises: ConfigError for what has no counterpart here.
    """
    method = config.method
    assert isinstance(method, ILQLConfig)
    found = common(config, model)
    _check_epsilon(found)
    return {
        **found,
        "epochs": config.train.epochs,
        "truncation": config.tokenizer.truncation_side,
        "prompt_format": "text",
        "tau": method.tau,
        "gamma": method.gamma,
        "cql_scale": method.cql_scale,
        "awac_scale": method.awac_scale,
        "awac_beta": method.beta,
        "alpha": method.alpha,
        "sync_every": method.steps_for_target_q_sync,
        "two_qs": method.two_qs,
        **_answering(method.gen_kwargs),
    }


def _answering(gen_kwargs: Mapping[str, Any]) -> Settings:
    betas = gen_kwargs.get("beta", 1)
    lists = [k for k, v in gen_kwargs.items() if k != "beta" and isinstance(v, list | tuple)]
    if lists:
        raise ConfigError(f"method.gen_kwargs.{lists[0]} is a list; only beta may be one")
    return {
        "decode_beta": list(betas) if isinstance(betas, list | tuple) else [betas],
        "top_k": gen_kwargs.get("top_k", 20),
        "temperature": gen_kwargs.get("temperature", 1.0),
        "max_new_tokens": gen_kwargs.get("max_new_tokens", 56),
    }


def _check_epsilon(settings: Settings) -> None:
    """Take AdamW's epsilon out where the recipe has none; 1e-8 is what it is there."""
    given = settings.pop("adam_eps", 1e-8)
    if float(given) != 1e-8:
        log.warning("optimizer.kwargs.eps=%s is not used: here it is 1e-8", given)


def sft(config: TRLConfig, model: str) -> Settings:
    """Settings of `luciola train sft`."""
    found = {**common(config, model), "epochs": config.train.epochs}
    _check_epsilon(found)
    return found


def _check_model(config: TRLConfig, name: str) -> None:
    if not name:
        raise ConfigError(
            "train: there is no model", remedy="train(MODEL, ...), or model.model_path."
        )
    if config.model.model_arch_type != "causal":
        raise ConfigError(
            f"model.model_arch_type is {config.model.model_arch_type!r}; there is only causal"
        )
    if config.model.num_layers_unfrozen != -1:
        log.warning(
            "model.num_layers_unfrozen=%s: layers cannot be frozen here, all of them are trained; "
            "for less memory give model.peft_config",
            config.model.num_layers_unfrozen,
        )
    if config.tokenizer.tokenizer_path not in ("", name):
        log.warning(
            "tokenizer.tokenizer_path=%s is not read: the model's own tokenizer is used",
            config.tokenizer.tokenizer_path,
        )


def _tell_idle(config: TRLConfig) -> None:
    """Name once what was set and is not read."""
    found = []
    for path in IDLE:
        section, _, name = path.partition(".")
        part = getattr(config, section)
        known = {f.name: f for f in dataclasses.fields(part)}
        if name in known and getattr(part, name) != _default(known[name]):
            found.append(path)
    if found:
        log.warning("TRLConfig: %s change nothing here", ", ".join(found))


def _default(item: dataclasses.Field[Any]) -> Any:
    made = item.default_factory
    return item.default if made is dataclasses.MISSING else made()


def _adapter(peft_config: Any) -> Settings:
    """LoRA as peft describes it, or every weight."""
    if peft_config is None:
        return {"adapter": "full"}
    given: Mapping[str, Any] = (
        peft_config if isinstance(peft_config, Mapping) else peft_config.to_dict()
    )
    kind = str(getattr(given.get("peft_type"), "value", given.get("peft_type", "LORA")))
    if kind != "LORA":
        raise ConfigError(f"model.peft_config is {kind}; here there is LORA, or None")
    lora = {ours: given[theirs] for theirs, ours in LORA.items() if given.get(theirs) is not None}
    targets = lora.get("targets")
    if targets is not None:
        lora["targets"] = [] if targets == "all-linear" else sorted(targets)
    return {"adapter": "lora", "lora": lora}


def _optimizer(config: TRLConfig) -> Settings:
    name = config.optimizer.name
    if name not in OPTIMIZERS:
        raise ConfigError(f"optimizer.name is {name!r}; there is {' and '.join(OPTIMIZERS)}")
    given = config.optimizer.kwargs
    unknown = [key for key in given if key not in RATES]
    if unknown:
        raise ConfigError(
            f"optimizer.kwargs: unknown {', '.join(unknown)}",
            remedy=f"There is {', '.join(RATES)}.",
        )
    rates = {RATES[key]: value for key, value in given.items()}
    lr = float(rates.get("lr", 3e-5))
    return {"optimizer": OPTIMIZERS[name], **rates, "lr": lr, **_schedule(config, lr)}


def _schedule(config: TRLConfig, lr: float) -> Settings:
    """A cosine that is far from its end after all steps is a constant."""
    name, given = config.scheduler.name, config.scheduler.kwargs
    if name == "linear":
        return {"schedule": "linear"}
    if name != "cosine_annealing":
        raise ConfigError(f"scheduler.name is {name!r}; there is cosine_annealing and linear")
    if float(given.get("T_max", 0)) > 10 * config.train.total_steps:
        return {"schedule": "constant"}
    return {"schedule": "cosine", "min_lr": min(1.0, float(given.get("eta_min", 0)) / lr)}


def _check_filters(gen_kwargs: Mapping[str, Any]) -> None:
    filters = [k for k, plain in FILTERS.items() if gen_kwargs.get(k, plain) != plain]
    if filters:
        log.warning(
            "method.gen_kwargs: %s are not used: answers to learn from are sampled from the plain "
            "distribution, whose log-probabilities are the ones that count",
            ", ".join(filters),
        )


def _scaling(scale_reward: str | None) -> str:
    if scale_reward == "ref":
        raise ConfigError(
            "method.scale_reward='ref' has no counterpart here",
            remedy="Use 'running', or scale in the reward function.",
        )
    return "scale" if scale_reward == "running" else "none"
