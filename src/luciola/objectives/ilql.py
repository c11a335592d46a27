"""Implicit language Q-learning: learning from logged answers with rewards, and decoding with Q − V.

Snell et al. 2022, https://arxiv.org/abs/2206.11871, in the form of trlx: one or two Q heads with
slow targets, an expectile value (IQL, Kostrikov et al. 2021, https://arxiv.org/abs/2110.06169),
conservative Q-learning (CQL) over the vocabulary and behaviour cloning (AWAC).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luciola.objectives.objective import cells


@dataclass(frozen=True)
class Ilql:
    """The four losses, each a scalar sum over the actions that count; see `ilql_loss`.

    Args:
        q: squared errors of the Q heads, added over the heads, without a ½.
        value: expectile loss of the value.
        cql: cross-entropy of the Q heads' own outputs, added over the heads.
        awac: weighted cross-entropy of the language model.
        count: how many actions count; the denominator of all of them.
        metrics: detached sums by name: value, target_q, awac_weight, and q0, q1, one per head.
    """

    q: Tensor
    value: Tensor
    cql: Tensor
    awac: Tensor
    count: Tensor
    metrics: Mapping[str, Tensor]

    def total(self, *, cql_scale: float = 0.1, awac_scale: float = 1.0) -> Tensor:
        """q + value + cql_scale·cql + awac_scale·awac, still a sum."""
        return self.q + self.value + cql_scale * self.cql + awac_scale * self.awac


def ilql_loss(
    logprobs: Tensor,
    qs: Sequence[Tensor],
    q_logprobs: Sequence[Tensor],
    target_qs: Sequence[Tensor],
    values: Tensor,
    rewards: Tensor,
    continues: Tensor,
    *,
    tau: float = 0.7,
    gamma: float = 0.99,
    beta: float = 0.0,
) -> Ilql:
    """Sums of the four losses of ILQL over the actions that count.

    With Q̂ = the minimum of the target heads at the action and y = r + γ·V_next: q is Σ (Q − y)²,
    value is Σ |τ − 1(Q̂ < V)|·(Q̂ − V)², cql is Σ −log softmax(Q)[a], awac is
    Σ −log π(a)·exp(beta·(Q̂ − V)). Q̂, y and the weight of awac carry no gradient.

    Args:
        logprobs: (B, A) log π(a) of each action a under the language model.
        qs: one or two (B, A), the value of each action.
        q_logprobs: as many (B, A), log softmax(Q)[a] over all tokens.
        target_qs: as many (B, A), the action's value under the slow copies.
        values: (B, A + 1) of the state before each action, and of the last state.
        rewards: (B, A) reward of each action.
        continues: (B, A + 1) bool, True before every real action; False for the last state and in
            padding. (trlx calls this `dones`.)
        tau: τ, the expectile: above 0.5 the value leans to the better actions.
        gamma: discount per token.
        beta: how much the cloning prefers actions with an advantage; not the beta of decoding.

    Raises: ValueError if the shapes do not fit, or no Q head is given.
    """
    cells(continues, values=values)
    mask = cells(continues[:, :-1], logprobs=logprobs, rewards=rewards)
    _check_heads(mask, qs=qs, q_logprobs=q_logprobs, target_qs=target_qs)

    def counting(tensor: Tensor) -> Tensor:
        return tensor.masked_fill(~mask, 0.0)  # padding may hold inf or nan

    value = counting(values[:, :-1])
    following = values[:, 1:].detach().masked_fill(~continues[:, 1:], 0.0)
    wanted = counting(rewards) + gamma * counting(following)
    q_chosen = [counting(q) for q in qs]
    target = torch.stack([counting(q.detach()) for q in target_qs]).amin(0)
    weight = counting((beta * (target - value.detach())).exp())
    metrics = {"value": value, "target_q": target, "awac_weight": weight}
    metrics |= {f"q{index}": q for index, q in enumerate(q_chosen)}
    return Ilql(
        q=_added((q - wanted).square() for q in q_chosen),
        value=expectile_loss(target - value, tau).sum(),
        cql=_added(-counting(one) for one in q_logprobs),
        awac=-(counting(logprobs) * weight).sum(),
        count=mask.sum(),
        metrics={name: tensor.detach().sum() for name, tensor in metrics.items()},
    )


def expectile_loss(difference: Tensor, tau: float) -> Tensor:
    """τ·d² where d ≥ 0, (1 − τ)·d² elsewhere. Source: IQL, eq. 3."""
    return torch.where(difference >= 0, tau, 1 - tau) * difference.square()


def _check_heads(mask: Tensor, **columns: Sequence[Tensor]) -> None:
    lengths = [len(heads) for heads in columns.values()]
    if not lengths[0] or len(set(lengths)) > 1:
        got = " and ".join(map(str, lengths))
        raise ValueError(f"as many Q heads as targets, at least one of each; got {got}")
    named = {f"{name}[{i}]": one for name, heads in columns.items() for i, one in enumerate(heads)}
    cells(mask, **named)


def _added(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack([loss.sum() for loss in losses]).sum()


@torch.no_grad()
def synchronise(target: nn.Module, source: nn.Module, alpha: float) -> None:
    """target ← α·source + (1 − α)·target, parameter by parameter (Polyak averaging).

    Args:
        target: the slow copy; changed in place.
        source: the trained module, of the same structure.
        alpha: 1 copies, 0 changes nothing.

    Raises: ValueError if the two differ in structure.
    """
    for slow, fast in zip(target.parameters(), source.parameters(), strict=True):
        slow.lerp_(fast.to(slow.dtype), alpha)


@torch.no_grad()
def decode_scores(
    logits: Tensor,
    target_qs: Sequence[Tensor],
    values: Tensor,
    *,
    beta: float = 1.0,
    top_k: int = 20,
    forbidden: Tensor | None = None,
) -> Tensor:
    """log softmax(z) + beta·(min Q − V), −inf outside the `top_k` best.

    Args:
        logits: (N, V) of the language model.
        target_qs: one or two (N, V), from the slow heads.
        values: (N, 1).
        beta: how much Q − V changes what the language model would say.
        top_k: tokens that stay; all that tie with the last of them stay too. 0, or more than V:
            no cut.
        forbidden: (N, V) bool, True where a token may not come; taken out before the softmax.

    Returns: (N, V) scores, for `decode_probabilities`.
    """
    if forbidden is not None:
        logits = logits.masked_fill(cells(forbidden, logits=logits), -torch.inf)
    lowest = torch.stack(list(target_qs)).amin(0)
    scores = F.log_softmax(logits, dim=-1) + beta * (lowest - values)
    if not 0 < top_k < scores.shape[-1]:
        return scores
    least = scores.topk(top_k, dim=-1).values[..., -1:]
    return scores.masked_fill(scores < least, -torch.inf)


@torch.no_grad()
def decode_probabilities(scores: Tensor, temperature: float = 1.0) -> Tensor:
    """softmax(scores / temperature); at 0 all of it on the best token (the first of equals)."""
    if temperature == 0:
        best = scores.argmax(-1)
        return F.one_hot(best, scores.shape[-1]).to(scores.dtype)
    return F.softmax(scores / temperature, dim=-1)
