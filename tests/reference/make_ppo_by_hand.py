"""Works out one step of TRL's last PPO trainer in plain Python floats: python make_ppo_by_hand.py

The trainer's formulas stand in the middle of one long method, so they cannot be called on numbers
of ours. They are spelt out here cell by cell, in double precision, from the trainer's documentation
and the papers; gradients are central differences. Nothing of this project is used, nor torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from recording import drawn, plain, save

PAD, END = 0, 1
ANSWERS = [[5, 3, 1, 4, 4, 2], [6, 1, 3, 1, 2, 2], [2, 7, 7, 3, 5, 4], [8, 8, 2, 2, 2, 1]]
"""An answer that ends early, one that ends twice, one that never ends, one that ends at the end."""
Table = list[list[float]]


def clamp(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def whitened(table: Table, kept: list[list[bool]], *, shift: bool) -> Table:
    """(x - mean) / sqrt(var + 1e-8) with the unbiased variance of the kept cells."""
    pairs = [
        (x, k)
        for row, keeps in zip(table, kept, strict=True)
        for x, k in zip(row, keeps, strict=True)
    ]
    cells = [x for x, k in pairs if k]
    mean = sum(cells) / len(cells)
    variance = sum((x - mean) ** 2 for x in cells) / (len(cells) - 1)
    scale, back = 1 / math.sqrt(variance + 1e-8), 0.0 if shift else mean
    return [
        [(x - mean) * scale + back if k else 0.0 for x, k in zip(row, keeps, strict=True)]
        for row, keeps in zip(table, kept, strict=True)
    ]


def cut(answer: list[int]) -> list[int]:
    """The answer up to its first end token, padded."""
    kept = answer.index(END) + 1 if END in answer else len(answer)
    return answer[:kept] + [PAD] * (len(answer) - kept)


def experience(case: dict[str, Any]) -> dict[str, Any]:
    """Rewards, advantages and returns of a batch."""
    width = len(ANSWERS[0])
    answers = [cut(row) for row in ANSWERS]
    last = [max(i for i, token in enumerate(row) if token != PAD) for row in answers]
    token = [[t <= end for t in range(width)] for end in last]
    state = [[t <= end + 1 for t in range(width)] for end in last]
    scores = [
        s - (case["missing_eos_penalty"] if END not in row else 0)
        for s, row in zip(case["scores_in"], answers, strict=True)
    ]
    kl, rewards = [], []
    for b, end in enumerate(last):
        row = []
        for t in range(width):
            ratio = case["ref_logprobs_in"][b][t] - case["logprobs_in"][b][t]
            k = -ratio if case["kl_estimator"] == "k1" else math.exp(ratio) - 1 - ratio
            row.append(k if token[b][t] else 0.0)
        kl.append(row)
        given = [-case["kl_coef"] * k for k in row]
        given[end + 1 if end + 1 < width else end] += scores[b]
        rewards.append(given)
    if case["whiten_rewards"]:
        rewards = whitened(rewards, state, shift=False)
    advantages, returns = [], []
    for b in range(len(answers)):
        values = [v if s else 0.0 for v, s in zip(case["values_in"][b], state[b], strict=True)]
        after, found = 0.0, [0.0] * width
        for t in reversed(range(width)):
            following = values[t + 1] if t + 1 < width else 0.0
            delta = rewards[b][t] + case["gamma"] * following - values[t]
            after = delta + case["gamma"] * case["lam"] * after
            found[t] = after
        advantages.append(found)
        returns.append([a + v for a, v in zip(found, values, strict=True)])
    return {
        "postprocessed_responses": answers,
        "padding_mask": [[int(not x) for x in row] for row in token],
        "padding_mask_p1": [[int(not x) for x in row] for row in state],
        "scores_after_penalty": scores, "kl": kl, "rewards": rewards, "returns": returns,
        "advantages": whitened(advantages, token, shift=True),
    }  # fmt: skip


def losses(case: dict[str, Any], rows: Sequence[int], new: Table, vpred: Table) -> dict[str, float]:
    policy = value = clipped = 0.0
    tokens = states = 0
    for i, b in enumerate(rows):
        for t in range(len(new[i])):
            if not case["padding_mask"][b][t]:
                ratio = math.exp(new[i][t] - case["logprobs_in"][b][t])
                gain = case["advantages"][b][t]
                near = clamp(ratio, 1 - case["cliprange"], 1 + case["cliprange"])
                policy, tokens = policy + max(-gain * ratio, -gain * near), tokens + 1
            if not case["padding_mask_p1"][b][t]:
                old, goal = case["values_in"][b][t], case["returns"][b][t]
                width = case["cliprange_value"]
                free = (vpred[i][t] - goal) ** 2
                held = (clamp(vpred[i][t], old - width, old + width) - goal) ** 2
                value, states = value + max(free, held), states + 1
                clipped += held > free
    policy, value = policy / tokens, 0.5 * value / states
    return {
        "pg_loss": policy, "vf_loss": value, "vf_clipfrac": clipped / states,
        "loss": policy + case["vf_coef"] * value,
    }  # fmt: skip


def slope(loss: Callable[[], float], table: Table) -> Table:
    """Central differences, cell by cell."""
    found, step = [], 1e-6
    for row in table:
        slopes = []
        for t, kept in enumerate(row):
            row[t] = kept + step
            above = loss()
            row[t] = kept - step
            slopes.append((above - loss()) / (2 * step))
            row[t] = kept
        found.append(slopes)
    return found


def micro_batch(case: dict[str, Any], seed: int) -> dict[str, Any]:
    rows = [2, 0, 1]
    shape = (len(rows), len(ANSWERS[0]))
    moved = drawn(seed, *shape, scale=0.3).tolist(), drawn(seed + 1, *shape, scale=0.4).tolist()
    tables = [
        [
            [round(x + d, 3) for x, d in zip(case[name][b], delta[i], strict=True)]
            for i, b in enumerate(rows)
        ]
        for name, delta in zip(("logprobs_in", "values_in"), moved, strict=True)
    ]
    new, vpred = tables
    loss = lambda: losses(case, rows, new, vpred)["loss"]  # noqa: E731
    return {
        "indices": rows, "new_logprobs": plain(new), "vpred": plain(vpred),
        **losses(case, rows, new, vpred), "grad_new_logprobs": slope(loss, new),
        "grad_vpred": slope(loss, vpred),
    }  # fmt: skip


def main() -> None:
    cases = []
    shape = (len(ANSWERS), len(ANSWERS[0]))
    for seed, estimator, white, gamma, lam in (
        (300, "k1", False, 1.0, 0.95), (320, "k3", False, 0.95, 0.9), (340, "k1", True, 1.0, 1.0),
    ):  # fmt: skip
        case: dict[str, Any] = {
            "eos_token_id": END, "pad_token_id": PAD, "missing_eos_penalty": 1.0,
            "kl_estimator": estimator, "kl_coef": 0.1, "whiten_rewards": white, "gamma": gamma,
            "lam": lam, "cliprange": 0.2, "cliprange_value": 0.2, "vf_coef": 0.1,
            "responses": ANSWERS, "scores_in": drawn(seed, shape[0]).tolist(),
            "logprobs_in": (-drawn(seed + 1, *shape).abs() - 0.1).tolist(),
            "ref_logprobs_in": (-drawn(seed + 2, *shape).abs() - 0.1).tolist(),
            "values_in": drawn(seed + 3, *shape).tolist(),
        }  # fmt: skip
        case |= experience(case)
        case["microbatch"] = micro_batch(case, seed + 4)
        cases.append(case)
    save("rl/ppo_trl_current", {"cases": cases})


if __name__ == "__main__":
    main()
