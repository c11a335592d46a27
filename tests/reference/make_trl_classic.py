"""Records what TRL's classic trainers compute.

python make_trl_classic.py

Recorded with trl 0.11.4, transformers 4.46.3, torch 2.13.0, Python 3.11, CPU:
pip install torch==2.13.0 trl==0.11.4 transformers==4.46.3 accelerate rich
The trainers' own functions are called on inputs of ours; no trainer is built.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from recording import MASKS, drawn, plain, save, save_controllers
from trl import DPOTrainer, PPOTrainer, RewardTrainer, core
from trl.trainer.utils import (
    AdaptiveKLController,
    FixedKLController,
    RunningMoments,
    compute_accuracy,
)

ALONE = SimpleNamespace(use_distributed=False, device="cpu")


def statistics() -> None:
    masked = []
    for seed, kind in ((11, "prefix"), (12, "offset")):
        values, mask = drawn(seed, 3, 6).float(), torch.tensor(MASKS[kind])
        masked.append({
            "name": kind, "values": values, "mask": mask,
            "masked_mean": core.masked_mean(values, mask),
            "masked_mean_axis1": core.masked_mean(values, mask, axis=1),
            "masked_var_unbiased": core.masked_var(values, mask),
            "masked_var_biased": core.masked_var(values, mask, unbiased=False),
            "masked_whiten": core.masked_whiten(values, mask),
            "masked_whiten_no_shift": core.masked_whiten(values, mask, shift_mean=False),
        })  # fmt: skip
    values = drawn(1, 3, 6).float()
    logits, labels = drawn(2, 3, 4, 9, scale=2).float(), torch.arange(12).view(3, 4) % 9
    save("rl/stats_helpers", {
        "masked": masked,
        "unmasked": {
            "values": values, "whiten": core.whiten(values),
            "whiten_no_shift": core.whiten(values, shift_mean=False),
        },
        "logits": logits, "labels": labels,
        "logprobs_from_logits": core.logprobs_from_logits(logits, labels),
        "entropy_from_logits": core.entropy_from_logits(logits),
    })  # fmt: skip


def running_moments() -> None:
    moments, rows = RunningMoments(ALONE), []
    for batch in (drawn(3, 9, scale=3), drawn(4, 9) + 2):
        mean, std = moments.update(batch.float())
        rows.append({
            "batch": batch, "batch_mean": mean, "batch_std_unbiased": std,
            "running_mean": moments.mean, "running_std": moments.std,
            "running_var": moments.var, "running_count": float(moments.count),
        })  # fmt: skip
    scores = drawn(3, 9, scale=3).float()
    save("rl/running_moments", {"sequence": rows, "score_scaling": scaled(scores)})


class StoppedError(Exception):
    """Raised where the scores are ready and the step would go on."""


class TensorMoments(RunningMoments):
    """`step` of 0.11.4 calls `.to` on moments that `update` made floats: tensors again."""

    def update(self, xs: Any) -> Any:
        found = super().update(xs)
        self.mean, self.std = torch.tensor(self.mean), torch.tensor(self.std)  # type: ignore[assignment]
        return found


def scaled(scores: Any) -> dict[str, Any]:
    """The scores as `PPOTrainer.step` shapes them before anything else."""
    found: dict[str, Any] = {"scores": scores.clone(), "score_clip": 0.75}
    for name, norm, clip in (
        ("use_score_norm", True, None), ("scale_only", False, None),
        ("clipped_after_norm", True, 0.75),
    ):  # fmt: skip
        config = SimpleNamespace(
            batch_size=9, use_score_scaling=True, use_score_norm=norm, score_clip=clip
        )
        trainer = SimpleNamespace(
            config=config, running=TensorMoments(ALONE), current_device="cpu",
            _step_safety_checker=lambda _n, *given: given, prepare_model_inputs=stop,
        )  # fmt: skip
        found[name] = step_scores(trainer, scores)
    return found


def stop(*_: Any) -> None:
    raise StoppedError


def step_scores(trainer: Any, scores: Any) -> Any:
    """Runs `step` until it prepares the model's inputs, and reads its local scores there."""
    try:
        PPOTrainer.step(trainer, [], [], scores)
    except StoppedError as stopped:
        trace = stopped.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_name == "step":
                return trace.tb_frame.f_locals["scores"]
            trace = trace.tb_next
    raise AssertionError("step was not run")


def kl_controllers() -> None:
    cases = []
    for init, target, horizon in ((0.1, 4.0, 2000), (0.02, 8.0, 10000)):
        controller, updates = AdaptiveKLController(init, target, horizon), []
        for current, steps in ((1.0, 64), (12.0, 256), (target, 64), (0.0, 64), (4.4, 64)):
            controller.update(current, steps)
            updates.append({"current": current, "n_steps": steps, "value": float(controller.value)})
        cases.append({
            "init_kl_coef": init, "target": target, "horizon": horizon, "updates": updates
        })  # fmt: skip
    fixed = FixedKLController(0.15)
    fixed.update(50.0, 128)
    save_controllers("trl", cases, {"init": 0.15, "after_any_update": fixed.value})


def advantages() -> None:
    cases = []
    for seed, kind, gamma, lam, white in (
        (13, "prefix", 1.0, 0.95, False), (14, "prefix", 0.9, 0.7, True),
        (15, "offset", 0.99, 0.9, False), (16, "offset", 1.0, 1.0, True),
    ):  # fmt: skip
        values, rewards = drawn(seed, 3, 6).float(), drawn(seed + 100, 3, 6, scale=0.5).float()
        mask = torch.tensor(MASKS[kind])
        trainer = SimpleNamespace(
            config=SimpleNamespace(gamma=gamma, lam=lam, whiten_rewards=white)
        )
        found = PPOTrainer.compute_advantages(trainer, values, rewards, mask)
        cases.append({
            "gamma": gamma, "lam": lam, "whiten_rewards": white, "mask_kind": kind,
            "values": values, "rewards": rewards, "mask": mask,
            **dict(zip(("out_values", "advantages", "returns"), found, strict=True)),
        })  # fmt: skip
    save("rl/gae_trl_classic", {"cases": cases})


def rewards() -> None:
    cases = []
    for seed, kind, penalty, coef in (
        (21, "prefix", "kl", 0.2), (22, "offset", "abs", 0.05),
        (23, "prefix", "mse", 0.4), (24, "offset", "full", 0.1),
    ):  # fmt: skip
        full, scores = penalty == "full", drawn(seed + 50, 3).float()
        shape = (3, 6, 5) if full else (3, 6)
        logprobs, reference = drawn(seed, *shape).float(), drawn(seed + 100, *shape).float()
        if full:
            logprobs, reference = logprobs.log_softmax(-1), reference.log_softmax(-1)
            logprobs, reference = (torch.tensor(plain(t)) for t in (logprobs, reference))
        trainer = SimpleNamespace(
            config=SimpleNamespace(kl_penalty=penalty), kl_ctl=SimpleNamespace(value=coef)
        )
        trainer._kl_penalty = lambda a, b, own=trainer: PPOTrainer._kl_penalty(own, a, b)
        mask = torch.tensor(MASKS[kind])
        found = PPOTrainer.compute_rewards(trainer, scores, logprobs, reference, mask)
        cases.append({
            "kl_penalty": penalty, "kl_coef": coef, "mask_kind": kind, "scores": scores,
            "logprobs": logprobs, "ref_logprobs": reference, "mask": mask,
            **dict(zip(("rewards", "non_score_reward", "kls"), found, strict=True)),
        })  # fmt: skip
    save("rl/rewards_trl_classic", {"cases": cases})


def ppo_losses() -> None:
    cases = []
    for seed, kind, clip, clip_value, coef, threshold in (
        (110, "prefix", 0.2, 0.2, 0.1, 10.0), (120, "offset", 0.1, 0.5, 1.0, 10.0),
        (130, "prefix", 0.2, 0.2, 0.1, 0.9),
    ):  # fmt: skip
        old = -drawn(seed, 3, 6).abs().float() - 0.1
        values, advantage, returns = (drawn(seed + i, 3, 6).float() for i in (1, 2, 3))
        logits = drawn(seed + 4, 3, 6, 5).float()
        logprobs = (old + drawn(seed + 5, 3, 6, scale=0.3).float()).requires_grad_()
        vpreds = (values + drawn(seed + 6, 3, 6, scale=0.3).float()).requires_grad_()
        mask = torch.tensor(MASKS[kind])
        config = SimpleNamespace(
            cliprange=clip, cliprange_value=clip_value, vf_coef=coef, ratio_threshold=threshold
        )
        policy, value, stats = PPOTrainer.loss(
            SimpleNamespace(config=config),
            old, values, logits, vpreds, logprobs, mask, advantage, returns,
        )  # fmt: skip
        (policy + value).backward()
        cases.append({
            "cliprange": clip, "cliprange_value": clip_value, "vf_coef": coef,
            "ratio_threshold": threshold, "mask_kind": kind, "old_logprobs": old,
            "values": values, "logits": logits, "vpreds": vpreds, "logprobs": logprobs,
            "mask": mask, "advantages": advantage, "returns": returns, "loss_policy": policy,
            "loss_value_scaled": value, "stats": stats, "grad_logprobs": logprobs.grad,
            "grad_vpreds": vpreds.grad,
        })  # fmt: skip
    save("rl/ppo_loss_trl_classic", {"cases": cases})


def reward_losses() -> None:
    cases = []
    for seed, margin, centering in (
        (140, None, None), (145, [0.5, 0.0, 1.0, 0.25, 2.0], None), (150, None, 0.02),
    ):  # fmt: skip
        chosen, rejected = (drawn(seed + i, 5).float().requires_grad_() for i in (0, 1))
        inputs = {
            "input_ids_chosen": chosen, "attention_mask_chosen": None,
            "input_ids_rejected": rejected, "attention_mask_rejected": None,
        }  # fmt: skip
        if margin is not None:
            inputs["margin"] = torch.tensor(margin)
        trainer = SimpleNamespace(
            use_reward_data_collator=True,
            args=SimpleNamespace(center_rewards_coefficient=centering),
        )
        loss = RewardTrainer.compute_loss(
            trainer, lambda input_ids, **_: {"logits": input_ids}, inputs
        )
        loss.backward()
        pair = torch.stack([chosen, rejected], 1).detach().numpy()
        accuracy = compute_accuracy((pair, torch.zeros(5).numpy()))["accuracy"]
        cases.append({
            "margin": margin, "center_rewards_coefficient": centering, "rewards_chosen": chosen,
            "rewards_rejected": rejected, "loss": loss, "accuracy": accuracy,
            "mean_margin": (chosen - rejected).mean(), "grad_chosen": chosen.grad,
            "grad_rejected": rejected.grad,
        })  # fmt: skip
    save("rl/reward_model_loss", {"cases": cases})


def dpo_losses() -> None:
    cases = []
    for seed, kind, beta, smoothing in (
        (160, "sigmoid", 0.1, 0.0), (165, "sigmoid", 0.5, 0.2), (170, "hinge", 0.3, 0.0),
        (175, "ipo", 0.25, 0.0),
    ):  # fmt: skip
        names = ("policy_chosen", "policy_rejected", "ref_chosen", "ref_rejected")
        given = [-drawn(seed + i, 5, scale=4).abs().float() for i in range(4)]
        trainer = SimpleNamespace(
            accelerator=ALONE, reference_free=False, f_divergence_type="reverse_kl",
            f_divergence_params=None, loss_type=kind, beta=beta, label_smoothing=smoothing,
        )  # fmt: skip
        found = DPOTrainer.dpo_loss(trainer, *given)
        cases.append({
            "loss_type": kind, "beta": beta, "label_smoothing": smoothing,
            **{f"{name}_logps": value for name, value in zip(names, given, strict=True)},
            **dict(zip(("losses", "chosen_rewards", "rejected_rewards"), found, strict=True)),
        })  # fmt: skip
    save("rl/dpo_loss", {"cases": cases})


def main() -> None:
    statistics()
    running_moments()
    kl_controllers()
    advantages()
    rewards()
    ppo_losses()
    reward_losses()
    dpo_losses()


if __name__ == "__main__":
    main()
