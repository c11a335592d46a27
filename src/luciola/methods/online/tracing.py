"""Pictures of an iteration: what happened to each token of the traced prompts' answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from luciola.config.online import (
    A2cConfig,
    ActorCriticConfig,
    GrpoConfig,
    OnlineConfig,
    PpoConfig,
    RlooConfig,
)
from luciola.methods.online.experience import Experience
from luciola.methods.online.prompts import Prompt
from luciola.objectives.groups import GROUP_EPSILON
from luciola.runs.trace import AnswerTrace, TraceFile
from luciola.types import Tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BEFORE = {
    "logprobs": "logprobs",
    "reference": "ref_logprobs",
    "kls": "kls",
    "scores": "scores",
    "values": "values",
    "rewards": "rewards",
    "whitened_rewards": "whitened_rewards",
    "raw_advantages": "raw_advantages",
    "advantages": "advantages",
    "returns": "returns",
}
"""Columns of the experience, and what the trace calls them."""


@dataclass(frozen=True)
class Pictures:
    """Takes the pictures of a run, after an iteration's learning.

    Args:
        file: where they go.
        config: the recipe.
        method: its name.
        prompts: in the order of the data.
        tokenizer: turns tokens into text.
    """

    file: TraceFile
    config: OnlineConfig
    method: str
    prompts: Sequence[Prompt]
    tokenizer: PreTrainedTokenizerBase

    def take(
        self,
        experience: Experience,
        policy: Callable[[Sequence[Tokens]], list[dict[str, Tensor]]],
        *,
        iteration: int,
        step: int,
        kl_coef: float,
    ) -> None:
        """One of each traced prompt; `policy` gives its logprobs and values as they are now."""
        chosen = traced(experience, self.config.trace_prompts)
        now = policy([experience.samples[i] for i in chosen])
        for index, columns in zip(chosen, now, strict=True):
            one = experience.rollouts[index]
            self.file.append(
                picture(
                    experience,
                    index,
                    columns,
                    config=self.config,
                    method=self.method,
                    prompt=self.prompts[one.prompt],
                    tokens=[str(self.tokenizer.decode([i])) for i in one.ids],
                    iteration=iteration,
                    step=step,
                    kl_coef=kl_coef,
                )
            )


def traced(experience: Experience, prompts: int) -> list[int]:
    """Indices of the answers that are pictured: the first to each of the first `prompts`."""
    seen: dict[int, int] = {}
    for index, one in enumerate(experience.rollouts):
        if one.prompt < prompts:
            seen.setdefault(one.prompt, index)
    return [seen[prompt] for prompt in sorted(seen)]


def picture(
    experience: Experience,
    index: int,
    now: Mapping[str, Tensor],
    *,
    config: OnlineConfig,
    method: str,
    prompt: Prompt,
    tokens: Sequence[str],
    iteration: int,
    step: int,
    kl_coef: float,
) -> AnswerTrace:
    """One answer before and after an iteration's learning.

    Args:
        now: the policy's logprobs, and values where there are any, after learning.
        tokens: the text of each token.
    """
    one = experience.rollouts[index]
    mask = experience.mask[index]
    columns = {
        ours: experience.columns[name][index][mask]
        for name, ours in BEFORE.items()
        if name in experience.columns
    }
    columns.update(_learned(columns, now, config))
    clipped = columns.pop("clipped", torch.zeros(0))
    if "rewards" in columns and "values" in columns:
        columns["deltas"] = _deltas(columns, config)
    return AnswerTrace(
        iteration=iteration,
        step=step,
        prompt_index=one.prompt,
        method=method,
        prompt=prompt.text,
        finish=one.finish,
        settings=_settings(config, experience, kl_coef) | _group(config, experience, index),
        score=one.total_score,
        parts=dict(one.parts),
        tokens=list(tokens),
        ids=list(one.ids),
        clipped=clipped.bool().tolist(),
        **{name: column.tolist() for name, column in columns.items()},
    )


def _learned(
    columns: Mapping[str, Tensor], now: Mapping[str, Tensor], config: OnlineConfig
) -> dict[str, Tensor]:
    """What learning changed; A2C knows no clip, and its loss no ratio."""
    ratios = (now["logprobs"] - columns["logprobs"]).exp()
    found = {"new_logprobs": now["logprobs"], "ratios": ratios}
    if "values" in now:
        found["new_values"] = now["values"]
    if isinstance(config, A2cConfig):
        return found | {"policy_losses": -columns["advantages"] * now["logprobs"]}
    plain = -columns["advantages"] * ratios
    clipped = -columns["advantages"] * ratios.clamp(1 - config.clip, 1 + config.clip)
    return found | {"clipped": clipped > plain, "policy_losses": torch.maximum(plain, clipped)}


def _deltas(columns: Mapping[str, Tensor], config: OnlineConfig) -> Tensor:
    gamma = config.gamma if isinstance(config, ActorCriticConfig) else 1.0
    rewards = columns.get("whitened_rewards", columns["rewards"])
    following = torch.cat([columns["values"][1:], columns["values"].new_zeros(1)])
    return rewards + gamma * following - columns["values"]


def _group(config: OnlineConfig, experience: Experience, index: int) -> dict[str, float]:
    """What the answer is compared with, where there is no critic, and its own figure beside it."""
    same = experience.groups == experience.groups[index]
    if isinstance(config, GrpoConfig):
        scores = experience.columns["scores"].sum(1)
        found = {"group_score": float(scores[index]), "group_mean": float(scores[same].mean())}
        if not config.scale_by_std:
            return found
        spread = float(scores[same].std()) if int(same.sum()) > 1 else 0.0
        return {**found, "group_std": spread + GROUP_EPSILON}
    if isinstance(config, RlooConfig) and config.baseline == "leave-one-out":
        rewards = experience.columns["rewards"].sum(1)
        same[index] = False
        if same.any():
            return {"group_score": float(rewards[index]), "baseline": float(rewards[same].mean())}
    return {}


def _settings(config: OnlineConfig, experience: Experience, kl_coef: float) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "kl_coef": kl_coef,
        "kl_estimator": config.kl_estimator,
        "temperature": config.temperature,
    }
    if not isinstance(config, A2cConfig):
        settings["clip"] = config.clip
    if isinstance(config, ActorCriticConfig):
        raw = experience.columns["raw_advantages"][experience.mask]
        settings |= {
            "gamma": config.gamma,
            "lam": config.lam,
            "whiten_advantages": config.whiten_advantages,
            "whiten_rewards": config.whiten_rewards,
            "advantage_mean": float(raw.mean()),
            "advantage_std": float(raw.std()) if len(raw) > 1 else 0.0,
        }
    if isinstance(config, PpoConfig):
        settings["clip_value"] = config.clip_value
    return settings
