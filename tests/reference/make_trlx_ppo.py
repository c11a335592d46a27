"""Records statistics, PPO and the random walks of trlx: python make_trlx_ppo.py FOLDER, a checkout.

Versions: trlx_modules.py.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from recording import MASKS, drawn, save, save_controllers
from trlx_modules import load


def ppo_config(trlx: SimpleNamespace, **settings: Any) -> Any:
    known = {
        "name": "PPOConfig", "ppo_epochs": 1, "num_rollouts": 1, "chunk_size": 1,
        "init_kl_coef": 0.1, "target": None, "horizon": 100, "gamma": 1.0, "lam": 0.95,
        "cliprange": 0.2, "cliprange_value": 0.2, "vf_coef": 1.0, "scale_reward": None,
        "ref_mean": None, "ref_std": None, "cliprange_reward": 10, "gen_kwargs": {},
    }  # fmt: skip
    return trlx.ppo.PPOConfig(**known | settings)


def statistics(trlx: SimpleNamespace) -> None:
    values, mask = drawn(1, 3, 6).float(), torch.tensor(MASKS["offset"])
    logits, labels = drawn(2, 3, 4, 9, scale=2).float(), torch.arange(12).view(3, 4) % 9
    modeling = trlx.modeling
    save("rl/stats_helpers", {
        "unmasked": {
            "values": values,
            "trlx_whiten": modeling.whiten(values, distributed=False),
            "trlx_whiten_no_shift": modeling.whiten(values, shift_mean=False, distributed=False),
        },
        "logits": logits, "labels": labels,
        "trlx_logprobs_of_labels": modeling.logprobs_of_labels(logits, labels),
        "trlx_get_tensor_stats": {
            "values": values, "mask": mask,
            "out": modeling.get_tensor_stats(values, mask, mask.sum()),
        },
    })  # fmt: skip
    moments, rows = modeling.RunningMoments(), []
    for batch in (drawn(3, 9, scale=3), drawn(4, 9) + 2):
        mean, std = moments.update(batch.float())
        rows.append({
            "batch": batch, "trlx_batch_mean": mean, "trlx_batch_std": std,
            "trlx_running_std": moments.std, "trlx_running_var": moments.var,
        })  # fmt: skip
    save("rl/running_moments", {"sequence": rows})


def kl_controllers(trlx: SimpleNamespace) -> None:
    cases = []
    for init, target, horizon in ((0.05, 6.0, 10000), (0.3, 1.5, 500)):
        controller, updates = trlx.ppo.AdaptiveKLController(init, target, horizon), []
        for current, steps in ((2.0, 128), (9.5, 128), (target, 64), (0.0, 32), (1.8, 32)):
            controller.update(current, steps)
            updates.append({"current": current, "n_steps": steps, "value": float(controller.value)})
        cases.append({
            "init_kl_coef": init, "target": target, "horizon": horizon, "updates": updates
        })  # fmt: skip
    fixed = trlx.ppo.FixedKLController(0.15)
    fixed.update(50.0, 128)
    save_controllers("trlx", cases, {"init": 0.15, "after_any_update": fixed.value})


def advantages(trlx: SimpleNamespace) -> None:
    cases = []
    for seed, gamma, lam, white in (
        (5, 1.0, 0.95, True),
        (6, 0.9, 0.8, True),
        (7, 0.97, 1.0, False),
    ):
        values, rewards = drawn(seed, 3, 6).float(), drawn(seed + 100, 3, 6, scale=0.5).float()
        config = ppo_config(trlx, gamma=gamma, lam=lam)
        found, returns = config.get_advantages_and_returns(values, rewards, 6, use_whitening=white)
        cases.append({
            "gamma": gamma, "lam": lam, "use_whitening": white, "values": values,
            "rewards": rewards, "advantages": found, "returns": returns,
        })  # fmt: skip
    save("rl/gae_trlx", {"cases": cases})


def ppo_losses(trlx: SimpleNamespace) -> None:
    cases = []
    for seed, kind, clip, clip_value, coef in (
        (10, "prefix", 0.2, 0.2, 1.0),
        (20, "offset", 0.1, 0.4, 0.5),
    ):
        old = -drawn(seed, 3, 6).abs().float() - 0.1
        names = ("old_values", "advantages", "returns")
        given = {name: drawn(seed + i, 3, 6).float() for i, name in enumerate(names, 1)}
        logprobs = (old + drawn(seed + 5, 3, 6, scale=0.3).float()).requires_grad_()
        values = (given["old_values"] + drawn(seed + 6, 3, 6, scale=0.3).float()).requires_grad_()
        mask = torch.tensor(MASKS[kind])
        config = ppo_config(trlx, cliprange=clip, cliprange_value=clip_value, vf_coef=coef)
        loss, stats = config.loss(logprobs, values, old, mask=mask, **given)
        loss.backward()
        cases.append({
            "cliprange": clip, "cliprange_value": clip_value, "vf_coef": coef, "mask_kind": kind,
            "old_logprobs": old, **given, "values": values, "logprobs": logprobs, "mask": mask,
            "loss": loss, "stats": stats, "grad_logprobs": logprobs.grad,
            "grad_values": values.grad,
        })  # fmt: skip
    save("rl/ppo_loss_trlx", {"cases": cases})


def random_walks(trlx: SimpleNamespace) -> None:
    """On the graph of seed 1000; graph and walks themselves are kept as a hash."""
    metric, prompts, walks, adjacency = trlx.walks.generate_random_walks(seed=1000)
    samples = [
        "bda",
        "bdax",
        "b",
        "cbda",
        "bzzz",
        "bb",
        "ta",
        "sda",
        "hka",
        "qrstu",
        "mna",
        *walks[40:70:3],
    ]
    found = metric(samples)
    digest = lambda value: hashlib.sha256(repr(value).encode()).hexdigest()  # noqa: E731
    save("rl/randomwalks", {
        "seed": 1000, "max_length": 10, "prompts": prompts,
        "adjacency_sha256": digest(adjacency.int().tolist()), "walks_sha256": digest(list(walks)),
        "samples": samples, "lengths": found["lengths"], "optimality": found["optimality"],
    })  # fmt: skip


def main() -> None:
    trlx = load(Path(sys.argv[1]).resolve())
    statistics(trlx)
    kl_controllers(trlx)
    advantages(trlx)
    ppo_losses(trlx)
    random_walks(trlx)


if __name__ == "__main__":
    main()
