"""From a TRLConfig to the settings of our recipes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

from luciola.compat.trlx.config import TRLConfig
from luciola.compat.trlx.sections import ILQLConfig, PPOConfig
from luciola.compat.trlx.weights import optimizer, trained
from luciola.config.load import kind_of
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
    "train.trainer_kwargs",
    "train.run_name",
    "train.entity_name",
    "train.group_name",
    "train.pipeline",
    "train.trainer",
    "train.project_name",
    "train.save_optimizer",
    "train.logging_dir",
    "train.rollout_logging_dir",
    "train.tags",
)
"""What is accepted so that old configurations load, and changes nothing here."""
ORDINARY = {
    "train.pipeline": ("PromptPipeline",),
    "train.trainer": ("AcceleratePPOTrainer", "AccelerateILQLTrainer", "AccelerateSFTTrainer"),
    "train.project_name": ("trlx",),
}
"""What every configuration of trlx says, and what happens here as well."""
ANSWERING = {
    "PPOConfig": ("max_new_tokens", "temperature"),
    "ILQLConfig": ("max_new_tokens", "temperature", "top_k", "beta"),
    "SFTConfig": (),
}
"""What is read of gen_kwargs."""
TOKENS = ("pad_token_id", "eos_token_id", "bos_token_id")
"""The tokenizer says these, and a configuration only repeats it."""
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
    _tell_generation(config)
    if isinstance(train.resume_from_checkpoint, str):
        log.warning(
            "train.resume_from_checkpoint=%r is not read as a folder: the run of the same settings "
            "is gone on with",
            train.resume_from_checkpoint,
        )
    found: Settings = {
        "model": str(name),
        "out": train.checkpoint_dir,
        "seed": train.seed,
        "batch": train.batch_size,
        "max_length": train.seq_length,
        "max_cut": 1.0,  # trlx cuts whatever is too long
        "max_steps": train.total_steps,
        "eval_every": train.eval_interval,
        "save_every": train.checkpoint_interval,
        "track": [train.tracker] if train.tracker else [],
        "warmup": 0,
        "max_grad_norm": 0,
        "trust_remote_code": _trusts(config),
    }
    return {**found, **trained(config.model), **optimizer(config)}


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
    if not isinstance(name, str | PathLike):
        raise ConfigError(
            f"train: the model must be a hub id or a folder, got {kind_of(name)}",
            remedy="Save it with its tokenizer (save_pretrained), and give that folder. "
            "A new model of given sizes is AutoModelForCausalLM.from_config(CONFIG).",
        )
    if not name:
        raise ConfigError(
            "train: there is no model", remedy="train(MODEL, ...), or model.model_path."
        )
    if config.model.model_arch_type != "causal":
        raise ConfigError(
            f"model.model_arch_type is {config.model.model_arch_type!r}; there is only causal"
        )
    if config.tokenizer.tokenizer_path not in ("", str(name)):
        log.warning(
            "tokenizer.tokenizer_path=%s is not read: the model's own tokenizer is used",
            config.tokenizer.tokenizer_path,
        )


def _trusts(config: TRLConfig) -> bool:
    """Whether the code that a model brings may run: what both of trlx's mappings may say."""
    extras = (config.model.model_extra_configs, config.tokenizer.tokenizer_extra_configs)
    return any(extra.get("trust_remote_code") is True for extra in extras)


def _tell_idle(config: TRLConfig) -> None:
    """Name once what was set and is not read."""
    found = []
    for path in IDLE:
        section, _, name = path.partition(".")
        part = getattr(config, section)
        known = {f.name: f for f in dataclasses.fields(part)}
        ordinary = ORDINARY.get(path, ())
        value = getattr(part, name, None)
        if isinstance(value, Mapping):  # `_trusts` reads that
            value = {key: one for key, one in value.items() if key != "trust_remote_code"}
        if name in known and value != _default(known[name]) and value not in ordinary:
            found.append(path)
    if found:
        log.warning("TRLConfig: no effect here: %s", ", ".join(found))


def _tell_generation(config: TRLConfig) -> None:
    """Name what is set for answers and has no effect on them."""
    method: Any = config.method
    read = {*ANSWERING[type(method).__name__], *TOKENS}
    if isinstance(method, PPOConfig):
        read |= FILTERS.keys()  # told of by `_check_filters`
    given = getattr(method, "gen_experience_kwargs", None) or method.gen_kwargs
    unread = [key for key in given if key not in read]
    if unread:
        log.warning("method.gen_kwargs: no effect here: %s", ", ".join(unread))
    if given is not method.gen_kwargs:
        plain = method.gen_kwargs
        other = [k for k in ANSWERING["PPOConfig"] if k in plain and plain[k] != given.get(k)]
        if other:
            log.warning(
                "method.gen_kwargs: no effect beside gen_experience_kwargs, which evaluations "
                "follow too: %s",
                ", ".join(other),
            )


def _default(item: dataclasses.Field[Any]) -> Any:
    made = item.default_factory
    return item.default if made is dataclasses.MISSING else made()


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
