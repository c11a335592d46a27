"""An iteration's scores as the algorithm sees them, and what its answers were like."""

from __future__ import annotations

import torch
from torch import Tensor

from luciola.config.online import OnlineConfig
from luciola.methods.online.experience import Experience
from luciola.objectives.advantages import penalize_missing_end
from luciola.objectives.moments import RunningMoments, shape_scores


def shaped_scores(
    experience: Experience, config: OnlineConfig, moments: RunningMoments
) -> tuple[Tensor, RunningMoments]:
    """Scores (B,) or (B, T): scaled, clipped, missing ends punished; and the moments after them.

    Where tokens are scored, cells without one stay 0: they would count as centred scores.
    """
    scores = experience.scores
    used = None
    if config.score_scaling != "none":
        seen = scores if scores.ndim == 1 else scores[experience.mask]
        used = moments = moments.merged(seen)
    center = config.score_scaling == "normalize"
    shaped = shape_scores(scores, used, center=center, clip=config.score_clip or None)
    if shaped.ndim == 2:
        shaped = shaped.masked_fill(~experience.mask, 0.0)
    if not config.missing_end_penalty:
        return shaped, moments
    if shaped.ndim == 1:
        ended = experience.ended
        return penalize_missing_end(shaped, ended, config.missing_end_penalty), moments
    last = experience.mask.sum(1, keepdim=True) - 1
    penalty = (~experience.ended).float() * config.missing_end_penalty
    return shaped.scatter_add(1, last, -penalty[:, None]), moments


def rollout_figures(experience: Experience, scores: Tensor) -> dict[str, float]:
    """What an iteration's answers were like; KL in nats an answer."""
    mask, columns = experience.mask, experience.columns
    raw = torch.tensor([one.total_score for one in experience.rollouts])
    shaped = scores if scores.ndim == 1 else scores.sum(1)
    lengths = mask.sum(1).float()
    drift = ((columns["logprobs"] - columns["reference"]) * mask).sum(1)
    figures = {
        "score/mean": float(raw.mean()),
        "score/std": float(raw.std()) if len(raw) > 1 else 0.0,
        "score/shaped": float(shaped.mean()),
        "objective/kl": float(columns["kls"].sum(1).mean()),
        "objective/kl_signed": float(drift.mean()),
        "objective/entropy": float(-(columns["logprobs"] * mask).sum(1).mean()),
        "objective/entropy_token": float(columns["entropies"][mask].mean()),
        "answers/length": float(lengths.mean()),
        "answers/ended": float(experience.ended.float().mean()),
        "answers/cut_off": float((~experience.ended).float().mean()),
        "sampler/difference": float((columns["sampled"] - columns["logprobs"])[mask].abs().mean()),
    }
    for reason in ("end", "stop", "length"):
        shares = [one.finish == reason for one in experience.rollouts]
        figures[f"finish/{reason}"] = sum(shares) / len(shares)
    parts = experience.rollouts[0].parts
    if len(parts) > 1:
        for name in parts:
            values = [one.parts[name] for one in experience.rollouts]
            figures[f"component/{name}"] = sum(values) / len(values)
    return figures
