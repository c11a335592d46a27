"""Reward models, DPO and ILQL against values recorded from TRL and trlx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ilql_tables import loss_of_tables
from luciola.objectives.ilql import (
    Ilql,
    decode_probabilities,
    decode_scores,
    synchronise,
)
from luciola.objectives.preference import bradley_terry, dpo, is_correct
from luciola.objectives.statistics import summary

Fields = Any
Cases = Callable[..., list[Fields]]
Close = Callable[..., None]


def test_reward_model_losses(cases: Cases, close: Close) -> None:
    for case in cases("reward_model_loss"):
        chosen = case.tensor("rewards_chosen", grad=True)
        rejected = case.tensor("rewards_rejected", grad=True)
        margin = None if case["margin"] is None else case.tensor("margin")
        centering = case["center_rewards_coefficient"] or 0.0
        loss = bradley_terry(chosen, rejected, margin=margin, centering=centering).mean()
        loss.backward()
        close(loss, case["loss"])
        close(is_correct(chosen, rejected).float().mean(), case["accuracy"])
        close((chosen - rejected).mean(), case["mean_margin"])
        close(chosen.grad, case["grad_chosen"])
        close(rejected.grad, case["grad_rejected"])


def test_dpo_losses(cases: Cases, close: Close) -> None:
    for case in cases("dpo_loss"):
        names = ("policy_chosen", "policy_rejected", "ref_chosen", "ref_rejected")
        kind = case["loss_type"]
        result = dpo(
            *(case.tensor(f"{name}_logps") for name in names),
            beta=case["beta"],
            kind=kind,
            label_smoothing=case["label_smoothing"] if kind == "sigmoid" else 0.0,
        )
        close(result.losses, case["losses"])
        close(result.chosen_rewards, case["chosen_rewards"])
        close(result.rejected_rewards, case["rejected_rewards"])


def at(table: Tensor, positions: Tensor) -> Tensor:
    """(B, A, V) rows of a (B, L, V) table at (B, A) positions."""
    return table.gather(1, positions[..., None].expand(-1, -1, table.shape[-1]))


def test_ilql_losses(cases: Cases, close: Close) -> None:
    for case in cases("ilql_loss"):
        logits, vs = case.tensor("logits", grad=True), case.tensor("vs", grad=True)
        qs = [torch.tensor(q, requires_grad=True) for q in case["qs"]]
        positions, continues = torch.tensor(case["actions_ixs"]), case.mask("dones")
        actions = torch.tensor(case["input_ids"])[:, 1:].gather(1, positions)
        loss = loss_of_tables(
            at(logits, positions),
            qs,
            [torch.tensor(q) for q in case["target_qs"]],
            vs.squeeze(-1),
            actions,
            case.tensor("rewards"),
            continues,
            tau=case["tau"],
            gamma=case["gamma"],
            beta=case["beta"],
        )
        count = loss.count.clamp(min=1)
        mean = loss.total(cql_scale=case["cql_scale"], awac_scale=case["awac_scale"]) / count
        mean.backward()
        check_ilql(case, loss, mean, close)
        close(logits.grad, case["grad_logits"])
        close(vs.grad, case["grad_vs"])
        for q, expected in zip(qs, case["grad_qs"], strict=True):
            close(q.grad, expected)
        check_summaries(case, vs, qs, actions, close)


def check_ilql(case: Fields, loss: Ilql, mean: Tensor, close: Close) -> None:
    stats, count = case["stats"], loss.count.clamp(min=1)
    close(mean, case["loss"], atol=1e-4)
    close(loss.q / count, stats["losses/loss_q"])
    close(loss.value / count, stats["losses/loss_v"])
    close(loss.cql / count, stats["losses/loss_cql"], atol=1e-4)
    close(loss.awac / count, stats["losses/loss_awac"], atol=1e-4)
    close(loss.metrics["value"] / count, stats["values/mean"])
    for index in range(len(case["qs"])):
        close(loss.metrics[f"q{index}"] / count, stats[f"qvalues/{index}/mean"])


def check_summaries(
    case: Fields, vs: Tensor, qs: list[Tensor], actions: Tensor, close: Close
) -> None:
    mask = case.mask("dones")[:, :-1]
    found = {"values": summary(vs.detach()[:, :-1, 0], mask)}
    for index, q in enumerate(qs):
        chosen = q.detach().gather(2, actions[..., None]).squeeze(-1)
        found[f"qvalues/{index}"] = summary(chosen, mask)
    for name, figures in found.items():
        for figure in ("mean", "min", "max", "std"):
            close(getattr(figures, figure), case["stats"][f"{name}/{figure}"])


def head(state: dict[str, Any], name: str) -> nn.Module:
    """d → 2d → ReLU → out with the weights of that name."""
    prefix = f"{name}."
    weights = {
        key.removeprefix(prefix): torch.tensor(value)
        for key, value in state.items()
        if key.startswith(prefix)
    }
    wide, out = weights["0.weight"], weights["2.weight"]
    module = nn.Sequential(
        nn.Linear(wide.shape[1], wide.shape[0]), nn.ReLU(), nn.Linear(out.shape[1], out.shape[0])
    )
    module.load_state_dict(weights)
    return module


def test_targets_follow_the_q_heads(golden: Callable[[str], Fields], close: Close) -> None:
    fields = golden("ilql_heads")
    for index in range(len(fields["qs"])):
        source = head(fields["state_dict"], f"q_heads.{index}")
        target = head(fields["state_dict"], f"target_q_heads.{index}")
        synchronise(target, source, fields["alpha"])
        expected = head(fields["target_after_one_sync"], f"target_q_heads.{index}")
        for name, parameter in target.state_dict().items():
            close(parameter, expected.state_dict()[name])


def test_decoding_scores_and_probabilities(cases: Cases, close: Close) -> None:
    for case in cases("ilql_decode"):
        targets = [case.tensor(name) for name in ("target_q1", "target_q2") if case.get(name)]
        scores = decode_scores(
            case.tensor("logits"),
            targets,
            case.tensor("v"),
            beta=case["beta"],
            top_k=case["top_k"],
        )
        close(scores, case["scores_after_topk"])
        close(decode_probabilities(scores, case["temperature"]), case["probs"])
