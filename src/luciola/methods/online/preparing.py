"""The roles of an online run, and what samples and scores with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from luciola.config.online import A2cConfig, ActorCriticConfig, GrpoConfig, PpoConfig, RlooConfig
from luciola.conversation.render import Renderer
from luciola.methods.online.algorithms import critic_of
from luciola.methods.online.sampling import Rollouts
from luciola.methods.preparation import load_trainable
from luciola.methods.trainee import Loaded, Trainee
from luciola.models.actor_critic import ActorCritic
from luciola.models.load import load_model
from luciola.models.precision import Autocast, computes_bfloat16
from luciola.models.roles_building import build_roles, frozen_copy
from luciola.models.scorer import Scorer
from luciola.models.shared_scorer import shared_scorer
from luciola.objectives.kl import AdaptiveKl, FixedKl
from luciola.rewards.building import build_reward
from luciola.rollout.engine.building import build as build_sampler
from luciola.rollout.weights import SamplingWeights
from luciola.training.world import World
from luciola.types import Reward, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Config = PpoConfig | A2cConfig | GrpoConfig | RlooConfig


def prepare(
    config: Config,
    world: World,
    tokenizer: PreTrainedTokenizerBase,
    renderer: Renderer,
    reward: Any = None,
) -> tuple[Trainee, Rollouts]:
    """The roles, ready to train, and what samples and scores with them."""
    loaded = load_trainable(config, world, shared_prefixes=config.answers > 1)
    autocast = loaded.precision.autocast
    roles = build_roles(
        loaded.model,
        adapter=config.adapter,
        lora=config.lora,
        continued=loaded.continued,
        critic=critic_of(config),
        value_init=config.value_init if isinstance(config, ActorCriticConfig) else "zero",
        reference=_named_reference(config, world, loaded),
        autocast=autocast,
        run_seed=config.seed,
    ).to(world.device)
    weights = SamplingWeights(loaded.model, _sampling_dtype(config, world, autocast))
    sampler = build_sampler(
        weights.model,
        engine=config.engine,
        adopt=weights.model is not weights.trained,
        end_ids=renderer.end_ids(),
        tokenizer=tokenizer,
        keep_cache=False,  # a step of training needs the memory
    )
    scores = reward_for(config, world, reward, roles)  # may put one more adapter on the base
    sampling = Sampling(config.max_new_tokens, config.temperature)
    rollouts = Rollouts(weights, sampler, scores, tokenizer, sampling, config.answers, config.stop)
    return loaded.trainee(roles, world), rollouts


def _named_reference(config: Config, world: World, loaded: Loaded) -> nn.Module | None:
    """The model that the recipe measures the KL to; None: the policy as it is at the start."""
    if not config.reference:
        return None
    other = load_model(
        config.reference,
        dtype=loaded.precision.weights,
        device=world.device,
        attention=loaded.model.config._attn_implementation,
        trust_remote_code=config.trust_remote_code,
    )
    return frozen_copy(other)


def _sampling_dtype(config: Config, world: World, autocast: Autocast) -> torch.dtype | None:
    """Of the copy that is sampled from; None: none is needed."""
    if autocast == torch.float16 and world.device.type == "cuda":
        return torch.float16
    if autocast is True and computes_bfloat16(world.device):
        return torch.bfloat16
    return torch.float32 if config.adapter != "full" else None


def reward_for(config: Config, world: World, given: Any, roles: ActorCritic) -> Reward:
    """The recipe's reward, or the Python object in its place; a reward model on the policy's own
    base where that is possible and wanted.
    """
    trusted = config.trust_remote_code

    def shared(folder: Path) -> Scorer | None:
        if not config.share_reward_base:
            return None
        return shared_scorer(
            roles.model, config.model, folder, autocast=roles.autocast, trust_remote_code=trusted
        )

    spec: Any = config.reward if given is None else given
    return build_reward(
        spec,
        device=world.device,
        scorers=shared,
        trust_remote_code=trusted,
        timeout=config.reward_timeout,
    )


def controller_for(config: Config) -> FixedKl | AdaptiveKl:
    """How the KL's weight follows the KL."""
    if isinstance(config, ActorCriticConfig) and config.kl_target:
        return AdaptiveKl(config.kl_coef, config.kl_target, config.kl_horizon)
    return FixedKl(config.kl_coef)
