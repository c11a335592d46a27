"""Statistics, advantages and PPO against values recorded from TRL and trlx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from luciola.objectives.advantages import gae, one_past, penalize_missing_end, token_rewards
from luciola.objectives.distributions import entropy, token_logprobs
from luciola.objectives.kl import AdaptiveKl, FixedKl, KlKind, full_kl, kl_estimate
from luciola.objectives.moments import RunningMoments, shape_scores
from luciola.objectives.objective import Objective
from luciola.objectives.ppo import policy_loss, ratio_is_sane, value_loss
from luciola.objectives.statistics import (
    masked_mean,
    masked_variance,
    moment_sums,
    moments_of,
    summary,
    whiten,
)

Fields = Any
Cases = Callable[..., list[Fields]]
Close = Callable[..., None]
KL_PENALTIES: dict[str, KlKind] = {"kl": "k1", "abs": "abs", "mse": "k2"}


def test_masked_statistics(cases: Cases, close: Close) -> None:
    for case in cases("stats_helpers", "masked"):
        values, mask = case.tensor("values"), case.mask()
        close(masked_mean(values, mask), case["masked_mean"])
        close(masked_mean(values, mask, dim=1), case["masked_mean_axis1"])
        close(masked_variance(values, mask), case["masked_var_unbiased"])
        close(masked_variance(values, mask, unbiased=False), case["masked_var_biased"])
        close(whiten(values, mask, everywhere=True), case["masked_whiten"])
        unshifted = whiten(values, mask, shift=False, everywhere=True)
        close(unshifted, case["masked_whiten_no_shift"])
        mean, variance = moments_of(moment_sums(values, mask))
        close([mean, variance], [case["masked_mean"], case["masked_var_unbiased"]])


def test_statistics_without_a_mask(golden: Callable[[str], Fields], close: Close) -> None:
    fields = golden("stats_helpers")
    values = torch.tensor(fields["unmasked"]["values"])
    for prefix in ("", "trlx_"):
        close(whiten(values), fields["unmasked"][f"{prefix}whiten"])
        close(whiten(values, shift=False), fields["unmasked"][f"{prefix}whiten_no_shift"])
    logits, labels = fields.tensor("logits"), torch.tensor(fields["labels"])
    for name in ("logprobs_from_logits", "trlx_logprobs_of_labels"):
        close(token_logprobs(logits, labels), fields[name])
    close(entropy(logits), fields["entropy_from_logits"])
    of_tensor = fields["trlx_get_tensor_stats"]
    mask = torch.tensor(of_tensor["mask"]).bool()
    close_summary(summary(torch.tensor(of_tensor["values"]), mask), of_tensor["out"], close)


def close_summary(actual: Any, expected: dict[str, float], close: Close) -> None:
    for name, value in expected.items():
        close(getattr(actual, name), value)


def test_gae_of_trl_classic_everywhere(cases: Cases, close: Close) -> None:
    for case in cases("gae_trl_classic"):
        mask = case.mask()
        values, rewards = case.tensor("values") * mask, case.tensor("rewards") * mask
        if case["whiten_rewards"]:
            rewards = whiten(rewards, mask, shift=False, everywhere=True)
        advantages, returns = gae(
            values, rewards, mask, gamma=case["gamma"], lam=case["lam"], every_column=True
        )
        close(values, case["out_values"])
        close(returns, case["returns"])
        close(whiten(advantages, mask, everywhere=True), case["advantages"])


def test_gae_by_the_correct_rule_agrees_with_trl_classic_on_the_tokens_that_count(
    cases: Cases, close: Close
) -> None:
    for case in cases("gae_trl_classic"):
        if case["whiten_rewards"]:
            continue  # the original whitens padding too, and lets it into the recursion
        mask = case.mask()
        advantages, returns = gae(
            case.tensor("values"),
            case.tensor("rewards"),
            mask,
            gamma=case["gamma"],
            lam=case["lam"],
        )
        close(returns[mask], case.tensor("returns")[mask])
        close(whiten(advantages, mask)[mask], case.tensor("advantages")[mask])
        assert not returns[~mask].any()
        assert not advantages[~mask].any()


def test_gae_of_trlx(cases: Cases, close: Close) -> None:
    for case in cases("gae_trlx"):
        values, rewards = case.tensor("values"), case.tensor("rewards")
        advantages, returns = gae(values, rewards, gamma=case["gamma"], lam=case["lam"])
        close(returns, case["returns"])
        close(whiten(advantages) if case["use_whitening"] else advantages, case["advantages"])


def test_rewards_of_trl_classic(cases: Cases, close: Close) -> None:
    for case in cases("rewards_trl_classic"):
        mask, scores = case.mask(), case.tensor("scores")
        logprobs, reference = case.tensor("logprobs"), case.tensor("ref_logprobs")
        kind = case["kl_penalty"]
        full = kind == "full"
        kls = (
            full_kl(logprobs, reference)
            if full
            else kl_estimate(logprobs, reference, KL_PENALTIES[kind])
        )
        close(kls, case["kls"])
        close(-case["kl_coef"] * kls, case["non_score_reward"])
        rewards = token_rewards(scores, kls, mask, case["kl_coef"], everywhere=True)
        close(rewards, case["rewards"])
        rewards = token_rewards(scores, kls, mask, case["kl_coef"])
        close(rewards, case.tensor("rewards") * mask)


def test_kl_controllers(golden: Callable[[str], Fields], close: Close) -> None:
    fields = golden("kl_controller")
    for case in fields["adaptive"]:
        controller = AdaptiveKl(case["init_kl_coef"], case["target"], case["horizon"])
        for update in case["updates"]:
            controller = controller.updated(update["current"], update["n_steps"])
            close(controller.coefficient, update["value"])
    fixed = FixedKl(fields["fixed"]["init"]).updated(100.0, 256)
    close(fixed.coefficient, fields["fixed"]["after_any_update"])


def test_running_moments_and_scaled_scores(golden: Callable[[str], Fields], close: Close) -> None:
    """trlx recorded one mean for all batches, the last one's: that field is left out."""
    fields = golden("running_moments")
    moments = RunningMoments()
    for case in fields["sequence"]:
        alone, moments = RunningMoments().merged(case["batch"]), moments.merged(case["batch"])
        for prefix in ("", "trlx_"):
            close(moments.variance, case[f"{prefix}running_var"])
            close(moments.std, case[f"{prefix}running_std"])
        close([alone.mean, alone.std], [case["batch_mean"], case["batch_std_unbiased"]])
        close([moments.mean, moments.count], [case["running_mean"], case["running_count"]])
    scaling = fields["score_scaling"]
    scores, moments = torch.tensor(scaling["scores"]), RunningMoments().merged(scaling["scores"])
    close(shape_scores(scores, moments, center=True), scaling["use_score_norm"])
    close(shape_scores(scores, moments), scaling["scale_only"])
    clipped = shape_scores(scores, moments, center=True, clip=scaling["score_clip"])
    close(clipped, scaling["clipped_after_norm"])


def backward(policy: Objective, value: Objective, vf_coef: float) -> Tensor:
    """The whole loss, its gradients taken."""
    loss = policy.mean + vf_coef * value.mean
    loss.backward()
    return loss.detach()


def test_ppo_losses_of_trl_classic(cases: Cases, close: Close) -> None:
    for case in cases("ppo_loss_trl_classic"):
        mask, returns = case.mask(), case.tensor("returns")
        logprobs, vpreds = case.tensor("logprobs", grad=True), case.tensor("vpreds", grad=True)
        old, advantages = case.tensor("old_logprobs"), case.tensor("advantages")
        policy = policy_loss(logprobs, old, advantages, mask, clip=case["cliprange"])
        value = value_loss(
            vpreds, case.tensor("values"), returns, mask, clip=case["cliprange_value"]
        )
        sane = ratio_is_sane(policy.means()["ratio"].item(), case["ratio_threshold"])
        loss = backward(policy, value, case["vf_coef"]) * sane
        close(policy.mean * sane, case["loss_policy"])
        close(case["vf_coef"] * value.mean * sane, case["loss_value_scaled"])
        assert logprobs.grad is not None and vpreds.grad is not None
        close(logprobs.grad * sane, case["grad_logprobs"])
        close(vpreds.grad * sane, case["grad_vpreds"])
        stats, policies, values = case["stats"], policy.means(), value.means()
        close(loss, stats["loss/total"])
        close(policies["half_squared_kl"], stats["policy/approxkl"])
        close(policies["policy_kl"], stats["policy/policykl"])
        close(policies["clip_fraction"], stats["policy/clipfrac"])
        close(values["squared_error"], stats["val/error"])
        close(values["clip_fraction"], stats["val/clipfrac"])
        close(values["value"], stats["val/vpred"])
        close(masked_mean(entropy(case.tensor("logits")), mask), stats["policy/entropy"])
        close(masked_mean(returns, mask), stats["returns/mean"])
        close(masked_variance(returns, mask), stats["returns/var"])


def test_ppo_losses_of_trlx(cases: Cases, close: Close) -> None:
    for case in cases("ppo_loss_trlx"):
        mask, returns = case.mask(), case.tensor("returns")
        logprobs, values = case.tensor("logprobs", grad=True), case.tensor("values", grad=True)
        old, old_values = case.tensor("old_logprobs"), case.tensor("old_values")
        policy = policy_loss(logprobs, old, case.tensor("advantages"), mask, clip=case["cliprange"])
        value = value_loss(values, old_values, returns, mask, clip=case["cliprange_value"])
        close(backward(policy, value, case["vf_coef"]), case["loss"])
        close(logprobs.grad, case["grad_logprobs"])
        close(values.grad, case["grad_values"])
        stats, policies = case["stats"], policy.means()
        close(policy.mean, stats["losses/policy_loss"])
        close(value.mean, stats["losses/value_loss"])
        close(policy.metrics["approx_kl"] / mask.numel(), stats["policy/approx_kl"])
        close(policies["clip_fraction"], stats["policy/clipfrac"])
        close(policies["ratio"], stats["ratio"])
        close(value.means()["clip_fraction"], stats["values/clipfrac"])
        close(value.means()["squared_error"], stats["values/values_error"])
        for name, tensor in (("values", values), ("old_values", old_values), ("returns", returns)):
            of_name = summary(tensor.detach(), mask)
            for figure in ("mean", "min", "max", "std"):
                close(getattr(of_name, figure), stats[f"{name}/{figure}"])


def test_experience_and_losses_of_trls_last_ppo(cases: Cases, close: Close) -> None:
    for case in cases("ppo_trl_current"):
        tokens = ~case.mask("padding_mask")
        states = one_past(tokens)
        assert torch.equal(states, ~case.mask("padding_mask_p1"))
        answers = torch.tensor(case["postprocessed_responses"])
        ended = (answers == case["eos_token_id"]).any(1)
        penalty = case["missing_eos_penalty"] or 0.0
        scores = penalize_missing_end(case.tensor("scores_in"), ended, penalty)
        close(scores, case["scores_after_penalty"])
        kls = kl_estimate(
            case.tensor("logprobs_in"),
            case.tensor("ref_logprobs_in"),
            case["kl_estimator"],
        ).masked_fill(~tokens, 0.0)
        close(kls, case["kl"])
        rewards = token_rewards(scores, kls, tokens, case["kl_coef"], one_past_the_end=True)
        if case["whiten_rewards"]:
            rewards = whiten(rewards, states, shift=False)
        close(rewards, case["rewards"])
        values = case.tensor("values_in")
        advantages, returns = gae(values, rewards, states, gamma=case["gamma"], lam=case["lam"])
        close(returns, case["returns"])
        advantages = whiten(advantages, tokens)
        close(advantages, case["advantages"])
        check_micro_batch(case, tokens, states, advantages, returns, close)


def check_micro_batch(
    case: Fields, tokens: Tensor, states: Tensor, advantages: Tensor, returns: Tensor, close: Close
) -> None:
    """The losses of one micro-batch, rows in its own order."""
    batch, rows = case["microbatch"], torch.tensor(case["microbatch"]["indices"])
    logprobs = torch.tensor(batch["new_logprobs"], requires_grad=True)
    vpred = torch.tensor(batch["vpred"], requires_grad=True)
    old, old_values = case.tensor("logprobs_in")[rows], case.tensor("values_in")[rows]
    policy = policy_loss(logprobs, old, advantages[rows], tokens[rows], clip=case["cliprange"])
    value = value_loss(vpred, old_values, returns[rows], states[rows], clip=case["cliprange_value"])
    close(backward(policy, value, case["vf_coef"]), batch["loss"])
    close(policy.mean, batch["pg_loss"])
    close(value.mean, batch["vf_loss"])
    close(value.means()["clip_fraction"], batch["vf_clipfrac"])
    close(logprobs.grad, batch["grad_new_logprobs"])
    close(vpred.grad, batch["grad_vpred"])


def test_a_case_that_is_missing_would_be_noticed(cases: Cases) -> None:
    with pytest.raises(KeyError):
        cases("gae_trlx", "no_such_cases")
