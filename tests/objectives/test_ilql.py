"""ILQL's losses by loops, where its gradients stop, its targets and its decoding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from ilql_tables import loss_of_tables
from luciola.objectives.ilql import (
    Ilql,
    decode_probabilities,
    decode_scores,
    expectile_loss,
    synchronise,
)

NAN = math.nan
T, F = True, False
CONTINUES = torch.tensor([[T, T, T, F], [T, F, F, F]])
"""Three actions and one; then the last state, then padding."""
TAU, GAMMA, BETA = 0.8, 0.9, 0.5


@dataclass
class Made:
    """Random tensors of two rows, three actions, five tokens; NaN where nothing counts."""

    logits: Tensor
    qs: list[Tensor]
    target_qs: list[Tensor]
    values: Tensor
    actions: Tensor
    rewards: Tensor

    def loss(self, *, beta: float = BETA, continues: Tensor = CONTINUES) -> Ilql:
        return loss_of_tables(
            self.logits,
            self.qs,
            self.target_qs,
            self.values,
            self.actions,
            self.rewards,
            continues,
            tau=TAU,
            gamma=GAMMA,
            beta=beta,
        )


def make(*, heads: int = 2, filler: float = NAN) -> Made:
    torch.manual_seed(0)
    unused = ~CONTINUES[:, :-1]

    def table() -> Tensor:
        made = torch.randn(2, 3, 5, dtype=torch.float64)
        return made.masked_fill(unused[..., None], filler).requires_grad_()

    values = torch.randn(2, 4, dtype=torch.float64)
    values[1, 2:] = filler
    rewards = torch.randn(2, 3, dtype=torch.float64).masked_fill(unused, filler)
    return Made(
        table(),
        [table() for _ in range(heads)],
        [table() for _ in range(heads)],
        values.requires_grad_(),
        torch.randint(5, (2, 3)),
        rewards,
    )


def by_loops(made: Made, beta: float = BETA) -> dict[str, float]:
    """The four sums, one action after the other, from the formulas."""
    sums = dict.fromkeys(("q", "value", "cql", "awac"), 0.0)
    for row, step in CONTINUES[:, :-1].nonzero().tolist():
        action = int(made.actions[row, step])
        value = made.values[row, step].item()
        ended = not CONTINUES[row, step + 1]
        following = 0.0 if ended else made.values[row, step + 1].item()
        wanted = made.rewards[row, step].item() + GAMMA * following
        target = min(q[row, step, action].item() for q in made.target_qs)
        for q in made.qs:
            sums["q"] += (q[row, step, action].item() - wanted) ** 2
            sums["cql"] -= q[row, step].log_softmax(0)[action].item()
        side = TAU if target >= value else 1 - TAU
        sums["value"] += side * (target - value) ** 2
        surprise = -made.logits[row, step].log_softmax(0)[action].item()
        sums["awac"] += surprise * math.exp(beta * (target - value))
    return sums


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("beta", [0.0, BETA])
def test_the_losses_are_those_of_the_formulas(heads: int, beta: float) -> None:
    made = make(heads=heads)
    loss = made.loss(beta=beta)
    found = {name: getattr(loss, name).item() for name in ("q", "value", "cql", "awac")}
    assert found == pytest.approx(by_loops(made, beta))
    assert loss.count.item() == 4


def test_the_total_weighs_cloning_and_conservatism() -> None:
    loss = make().loss()
    expected = loss.q + loss.value + 0.3 * loss.cql + 2 * loss.awac
    assert loss.total(cql_scale=0.3, awac_scale=2.0).item() == pytest.approx(expected.item())
    expected = loss.q + loss.value + 0.1 * loss.cql + loss.awac
    assert loss.total().item() == pytest.approx(expected.item())


def test_metrics_are_sums_at_the_chosen_tokens() -> None:
    made = make()
    metrics = made.loss().metrics
    mask = CONTINUES[:, :-1]
    chosen = [q.gather(2, made.actions[..., None])[..., 0][mask] for q in made.qs]
    assert metrics["q0"].item() == pytest.approx(chosen[0].sum().item())
    assert metrics["q1"].item() == pytest.approx(chosen[1].sum().item())
    assert metrics["value"].item() == pytest.approx(made.values[:, :-1][mask].sum().item())
    assert not any(metric.requires_grad for metric in metrics.values())


def test_what_padding_holds_never_changes_a_loss_or_a_gradient() -> None:
    found = []
    for filler in (NAN, 7.0):
        made = make(filler=filler)
        total = made.loss().total()
        total.backward()
        assert made.values.grad is not None
        grads = [made.logits.grad, *[q.grad for q in made.qs], made.values.grad]
        found.append([total.detach(), *grads])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


def gradients(loss: Tensor, made: Made) -> dict[str, Tensor | None]:
    """The gradient of one loss by tensor, None where there is none."""
    tensors = {"logits": made.logits, "values": made.values}
    tensors |= {f"q{index}": q for index, q in enumerate(made.qs)}
    tensors |= {f"target{index}": q for index, q in enumerate(made.target_qs)}
    found = torch.autograd.grad(loss, list(tensors.values()), allow_unused=True)
    return {name: grad for name, grad in zip(tensors, found, strict=True) if grad is not None}


def test_each_loss_trains_its_own_head_and_nothing_else() -> None:
    made = make()
    loss = made.loss()
    assert set(gradients(loss.q, made)) == {"q0", "q1"}
    made = make()
    assert set(gradients(made.loss().value, made)) == {"values"}
    made = make()
    assert set(gradients(made.loss().cql, made)) == {"q0", "q1"}
    made = make()
    assert set(gradients(made.loss().awac, made)) == {"logits"}


def test_the_value_that_follows_the_last_action_is_zero() -> None:
    """r = 1, V' = 100 in a state that is the end: Q is pulled to 1, not to 91."""
    one = torch.zeros(1, 1, 2)
    loss = loss_of_tables(
        one,
        [one],
        [one],
        torch.tensor([[0.0, 100.0]]),
        torch.tensor([[0]]),
        torch.tensor([[1.0]]),
        torch.tensor([[T, F]]),
        gamma=0.9,
    )
    assert loss.q.item() == pytest.approx(1.0)


def test_the_value_leans_to_the_better_side() -> None:
    """τ = 0.9: 2 too low costs 0.9·4, 2 too high 0.1·4."""
    assert expectile_loss(torch.tensor([2.0, -2.0, 0.0]), 0.9).tolist() == pytest.approx(
        [3.6, 0.4, 0.0]
    )


def test_a_micro_batch_without_actions_is_a_sum_of_nothing() -> None:
    loss = make(filler=0.0).loss(continues=torch.zeros_like(CONTINUES))
    assert loss.total().item() == 0.0
    assert loss.count.item() == 0


def test_heads_and_targets_must_fit() -> None:
    made = make()
    made.target_qs.pop()
    with pytest.raises(ValueError, match="got 2 and 2 and 1"):
        made.loss()
    made = make()
    made.values = made.values[:, :-1]
    with pytest.raises(ValueError, match=r"values \(2, 3\), mask \(2, 4\)"):
        made.loss()


def test_targets_move_by_alpha_towards_their_source() -> None:
    target, source = nn.Linear(1, 1), nn.Linear(1, 1)
    for module, weight, bias in ((target, 1.0, 0.0), (source, 3.0, 10.0)):
        nn.init.constant_(module.weight, weight)
        nn.init.constant_(module.bias, bias)
    synchronise(target, source, 0.1)
    assert (target.weight.item(), target.bias.item()) == pytest.approx((1.2, 1.0))
    assert (source.weight.item(), source.bias.item()) == (3.0, 10.0)
    synchronise(target, source, 1.0)
    assert (target.weight.item(), target.bias.item()) == (3.0, 10.0)


LOGITS = torch.log(torch.tensor([[0.1, 0.2, 0.3, 0.4]]))
TARGETS = [torch.tensor([[5.0, 1.0, 2.0, 0.0]]), torch.tensor([[1.0, 3.0, 2.0, 0.0]])]
VALUE = torch.tensor([[1.0]])
"""min Q − V is 0, 0, 1 and −1."""


def test_decoding_adds_the_pessimistic_advantage_to_the_language_model() -> None:
    scores = decode_scores(LOGITS + 3, TARGETS, VALUE, beta=2.0, top_k=0)
    expected = [math.log(0.1), math.log(0.2), math.log(0.3) + 2, math.log(0.4) - 2]
    assert scores[0].tolist() == pytest.approx(expected)
    probabilities = decode_probabilities(scores)
    weights = [math.exp(score) for score in expected]
    assert probabilities[0].tolist() == pytest.approx([w / sum(weights) for w in weights])


def test_decoding_with_beta_zero_is_the_language_model() -> None:
    scores = decode_scores(LOGITS, TARGETS, VALUE, beta=0.0, top_k=0)
    assert decode_probabilities(scores)[0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("top_k", "kept"), [(1, [F, F, T, F]), (2, [T, T, T, F]), (3, [T, T, T, F]), (9, [T] * 4)]
)
def test_all_that_tie_with_the_last_of_the_best_are_kept(top_k: int, kept: list[bool]) -> None:
    scores = decode_scores(torch.zeros(1, 4), TARGETS, VALUE, beta=1.0, top_k=top_k)
    assert (scores[0] > -math.inf).tolist() == kept


def test_a_forbidden_token_gives_its_probability_to_the_others() -> None:
    forbidden = torch.tensor([[F, F, F, T]])
    scores = decode_scores(LOGITS, TARGETS, VALUE, beta=0.0, top_k=0, forbidden=forbidden)
    assert scores[0, :3].exp().tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    assert scores[0, 3].item() == -math.inf


def test_temperature_sharpens_and_zero_takes_the_best() -> None:
    scores = torch.log(torch.tensor([[0.2, 0.8]]))
    squares = decode_probabilities(scores, 0.5)[0].tolist()
    assert squares == pytest.approx([0.04 / 0.68, 0.64 / 0.68])
    assert decode_probabilities(scores, 0.0).tolist() == [[0.0, 1.0]]
