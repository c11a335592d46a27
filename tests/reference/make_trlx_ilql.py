"""Records what trlx computes for ILQL: python make_trlx_ilql.py FOLDER, a checkout.

Versions: trlx_modules.py.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from recording import drawn, plain, save
from trlx_modules import load

DIALOGS = (
    (([3, 1], False), ([4, 5, 9], True)),
    (([2], False), ([6, 7], True), ([8, 8, 1], False), ([5], True)),
    (([7, 7, 7], False), ([10, 4, 4, 2], True)),
    (([0, 3], False), ([1], True)),
)


def experience(trlx: SimpleNamespace) -> Any:
    """The logged samples of trlx, as elements and as a batch."""
    dialogs = [[trlx.data.DialogMessage(out, tuple(t)) for t, out in d] for d in DIALOGS]
    rewards = [1.5, -0.5, 0.25, 4.0]
    store = trlx.trainer.make_experience(dialogs, rewards, verbose=False)
    names = ("input_ids", "attention_mask", "rewards", "states_ixs", "actions_ixs", "dones")
    elements = [store[i] for i in range(len(store))]
    batch = trlx.data.ilql_collate_fn(elements)
    save("rl/ilql_data", {
        "dialogs": [[{"tokens": t, "is_output": out} for t, out in d] for d in DIALOGS],
        "rewards_in": rewards,
        "elements": [{name: getattr(e, name) for name in names} for e in elements],
        "batch": {name: getattr(batch, name) for name in names},
    })  # fmt: skip
    return batch


def ilql_losses(trlx: SimpleNamespace, batch: Any) -> None:
    rows, actions = batch.actions_ixs.shape
    cases = []
    for seed, two, tau, gamma, cql, awac, beta in (
        (30, True, 0.7, 0.99, 0.1, 1.0, 0.0), (40, True, 0.9, 0.8, 1.0, 0.5, 1.5),
        (50, False, 0.6, 1.0, 0.05, 2.0, 0.4),
    ):  # fmt: skip
        logits = drawn(seed, rows, batch.input_ids.shape[1], 11).float().requires_grad_()
        count = 1 + two
        qs = [drawn(seed + 1 + i, rows, actions, 11).float().requires_grad_() for i in range(count)]
        targets = [drawn(seed + 3 + i, rows, actions, 11).float() for i in range(count)]
        vs = drawn(seed + 5, rows, actions + 1, 1).float().requires_grad_()
        config = trlx.ilql.ILQLConfig(
            name="ilqlconfig", tau=tau, gamma=gamma, cql_scale=cql, awac_scale=awac, alpha=0.1,
            beta=beta, steps_for_target_q_sync=1, two_qs=two, gen_kwargs={},
        )  # fmt: skip
        loss, stats = config.loss((logits, (qs, targets, vs)), batch)
        loss.backward()
        fields = ("input_ids", "attention_mask", "rewards", "states_ixs", "actions_ixs", "dones")
        cases.append({
            "tau": tau, "gamma": gamma, "cql_scale": cql, "awac_scale": awac, "beta": beta,
            "two_qs": two, **{name: getattr(batch, name) for name in fields},
            "logits": logits, "qs": qs, "target_qs": targets, "vs": vs, "loss": loss,
            "stats": stats, "grad_vs": vs.grad, "grad_qs": [q.grad for q in qs],
            "grad_logits": logits.grad,
        })  # fmt: skip
    save("rl/ilql_loss", {"vocab": 11, "cases": cases})


def heads(trlx: SimpleNamespace) -> None:
    module = trlx.ilql.ILQLHeads(3, 5, True, 0.25, torch.float32)
    state = {
        name: drawn(60 + i, *value.shape, scale=0.4).float()
        for i, (name, value) in enumerate(module.state_dict().items())
    }
    module.load_state_dict(state)
    states, states_ixs = drawn(59, 2, 6, 3).float(), torch.tensor([[0, 2, 5], [1, 3, 4]])
    actions_ixs = states_ixs[:, :-1]
    qs, targets, vs = module(states, states_ixs=states_ixs, actions_ixs=actions_ixs)
    recorded = {
        "hidden": 3, "vocab": 5, "two_qs": True, "alpha": 0.25, "state_dict": plain(state),
        "hidden_states": states, "states_ixs": states_ixs, "actions_ixs": actions_ixs,
        "qs": [q.detach() for q in qs], "target_qs": [q.detach() for q in targets],
        "vs": vs.detach(),
    }  # fmt: skip
    module.sync_target_q_heads()
    moved = {f"target_q_heads.{n}": v for n, v in module.target_q_heads.state_dict().items()}
    save("rl/ilql_heads", recorded | {"target_after_one_sync": moved})


class RecordedError(Exception):
    """Raised where the first token would be drawn."""


def decoding(trlx: SimpleNamespace) -> None:
    """Runs trlx's own `generate` up to its first token, with outputs of ours."""
    cases = []
    for seed, beta, top_k, temperature in ((80, 0, 20, 1.0), (85, 2.5, 4, 0.7), (90, 1.0, 11, 1.3)):
        logits = drawn(seed, 4, 11, scale=2).float()
        q1, q2 = (drawn(seed + i, 4, 11).float() for i in (1, 2))
        v = drawn(seed + 3, 4, 1).float()
        expand = lambda t: t[:, None]  # noqa: E731
        out = (expand(logits), None, (expand(q1), expand(q2)), expand(v), None)
        seen: dict[str, Any] = {}
        model = SimpleNamespace(forward=lambda out=out, **_: out, two_qs=True, peft_type=None)

        def mask(xs: Any, k: int, seen: Any = seen, own: Any = trlx.ilql.topk_mask) -> Any:
            seen["scores_after_topk"] = own(xs, k)
            return seen["scores_after_topk"]

        def draw(probs: Any, seen: Any = seen, **_: Any) -> Any:
            seen["probs"] = probs
            raise RecordedError

        kept = trlx.ilql.topk_mask, torch.multinomial
        trlx.ilql.topk_mask, torch.multinomial = mask, draw
        with contextlib.suppress(RecordedError):
            trlx.ilql.AutoModelForCausalLMWithILQLHeads.generate(
                model, torch.zeros(4, 1, dtype=torch.long), torch.ones(4, 1, dtype=torch.long),
                beta=beta, top_k=top_k, temperature=temperature, pad_token_id=0, eos_token_id=1,
            )  # fmt: skip
        trlx.ilql.topk_mask, torch.multinomial = kept
        cases.append({
            "beta": beta, "top_k": top_k, "temperature": temperature, "logits": logits,
            "target_q1": q1, "target_q2": q2, "v": v, **seen,
        })  # fmt: skip
    save("rl/ilql_decode", {"cases": cases})


class Letters:
    """One token per letter: a to u are 0 to 20, | is 21, </s> is 22 and begins texts too."""

    bos_token = eos_token = "</s>"
    bos_token_id = eos_token_id = 22

    def __init__(self, side: str) -> None:
        self.truncation_side = side

    def __call__(self, text: str, add_special_tokens: bool) -> SimpleNamespace:
        letters = text.replace("</s>", "v")
        return SimpleNamespace(input_ids=["abcdefghijklmnopqrstu|v".index(c) for c in letters])


def dialogues(trlx: SimpleNamespace) -> None:
    """Cuts that fall on a border of two phrases from the left, or leave no output, are left out:
    there trlx gives empty messages.
    """
    given: list[tuple[Any, int]] = [
        ("kilo", 12), ("kilo", 3), (["m", "no"], 9), (["ab", "cde", "f", "gh"], 20),
        (["ab", "cde", "f", "gh"], 7), (["ab", "cde", "f", "gh"], 5), (["abc", "lmn</s>"], 15),
        (["q", "r|s"], 3), (["ponmlk", "ab"], 8), (["a", "b", "c", "d", "e", "f"], 6),
    ]  # fmt: skip
    cases = []
    for side in ("right", "left"):
        for dialogue, length in given:
            tokenizer = Letters(side)
            copy = dialogue if isinstance(dialogue, str) else list(dialogue)
            out = trlx.data.tokenize_dialogue(copy, tokenizer, length)
            if not any(m.is_output for m in out) or not all(m.tokens for m in out):
                continue
            cases.append({
                "truncation_side": side, "dialogue": dialogue, "max_length": length,
                "out": [{"is_output": m.is_output, "tokens": m.tokens} for m in out],
            })  # fmt: skip
    save("rl/ilql_tokenize_dialogue", {"cases": cases})


def main() -> None:
    trlx = load(Path(sys.argv[1]).resolve())
    batch = experience(trlx)
    ilql_losses(trlx, batch)
    heads(trlx)
    decoding(trlx)
    dialogues(trlx)


if __name__ == "__main__":
    main()
