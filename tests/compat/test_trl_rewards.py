"""What the classic `step` learns from: scores, the KL to the reference, and their masks."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import peft
import pytest
import torch

from classic_step import settings, trainer_of
from luciola.compat.trl import AutoModelForCausalLMWithValueHead, PPOTrainer
from support import build_llama


def no_times(stats: dict[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in stats.items() if not name.startswith("time/")}


def test_tokens_of_a_tool_are_neither_penalised_nor_trained(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    """With masks that leave out the last response's tail its score lands on the last token left,
    and the KL counts fewer tokens; with masks of ones nothing differs.
    """
    ones = [torch.ones_like(r) for r in batch["responses"]]
    plain = trainer_of(build(), tokenizer).step(**batch)
    same = trainer_of(build(), tokenizer).step(**batch, response_masks=ones)
    assert no_times(same)["ppo/loss/total"] == plain["ppo/loss/total"]
    holes = [m.clone() for m in ones]
    holes[2][3:] = 0
    other = trainer_of(build(), tokenizer).step(**batch, response_masks=holes)
    row = slice(1, 4)  # the response of three kept tokens after a query of two
    kls = (plain["objective/logprobs"] - plain["objective/ref_logprobs"])[2]
    assert other["objective/kl_dist"][2] == pytest.approx(kls[row].sum(), rel=1e-4)
    assert other["objective/kl_dist"][1] == plain["objective/kl_dist"][1]


@pytest.mark.parametrize("kind", ["abs", "mse", "full"])
def test_other_penalties_measure_the_kl_differently(
    kind: str, build: Any, tokenizer: Any, batch: Any
) -> None:
    stats = trainer_of(build(), tokenizer, kl_penalty=kind).step(**batch)
    rows = zip(*list(batch.values())[:2], strict=True)
    spans = [slice(len(q) - 1, len(q) + len(r) - 1) for q, r in rows]
    difference = stats["objective/logprobs"] - stats["objective/ref_logprobs"]
    sums = {"abs": np.abs(difference), "mse": difference**2 / 2}
    if kind == "full":
        assert (stats["objective/kl_dist"] > 0).all()
        trainer = trainer_of(build(), tokenizer)
        with torch.no_grad():
            ids = torch.cat([batch["queries"][2], batch["responses"][2]])[None]
            p, q = (m(input_ids=ids)[0][0, 1:-1] for m in (trainer.model, trainer.ref_model))
            exact = (p.softmax(-1) * (p.log_softmax(-1) - q.log_softmax(-1))).sum()
        assert stats["objective/kl_dist"][2] == pytest.approx(float(exact), rel=1e-4)
    else:
        wanted = [sums[kind][row, span].sum() for row, span in enumerate(spans)]
        assert stats["objective/kl_dist"] == pytest.approx(np.array(wanted), rel=1e-5)


def test_the_coefficient_follows_the_kl_over_the_batch(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    trainer = trainer_of(build(), tokenizer, horizon=10.0)
    stats = trainer.step(**batch)
    error = min(max(stats["objective/kl"] / 6 - 1, -0.2), 0.2)
    assert trainer.kl_ctl.value == pytest.approx(0.2 * (1 + error * 4 / 10))
    before = trainer.kl_ctl.value
    assert trainer.step(**batch)["objective/kl_coef"] == before
    fixed = trainer_of(build(), tokenizer, adap_kl_ctrl=False)
    fixed.step(**batch)
    assert fixed.kl_ctl.value == 0.2


def test_the_reference_of_an_adapter_is_the_model_without_it(tokenizer: Any, batch: Any) -> None:
    """The numbers of a copy of the base, and the adapter is on again afterwards."""
    base = build_llama(attention="sdpa")
    lora = peft.LoraConfig(r=2, target_modules=["v_proj"], task_type="CAUSAL_LM")
    model = AutoModelForCausalLMWithValueHead.from_pretrained(copy.deepcopy(base), peft_config=lora)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    trainer = PPOTrainer(settings(), model, None, tokenizer)
    stats = trainer.step(**batch)
    assert trainer.ref_model is None and abs(stats["objective/kl"]) > 0.01
    ids = torch.cat([batch["queries"][1], batch["responses"][1]])[None]
    wanted = base.eval()(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    found = stats["objective/ref_logprobs"][1][: len(wanted)]
    assert found == pytest.approx(wanted.detach().numpy(), rel=1e-4)
    frozen = [
        p for n, p in trainer.model.named_parameters() if "lora" not in n and "v_head" not in n
    ]
    assert not any(p.requires_grad for p in frozen)
    moved_logits = trainer.model(input_ids=ids)[0]
    assert not torch.allclose(moved_logits, base(ids).logits, atol=1e-2)


def test_a_kl_far_below_zero_is_named_with_its_remedy(
    build: Any, tokenizer: Any, batch: Any, caplog: Any
) -> None:
    """Answers that the reference likes better than the policy does."""
    trainer = trainer_of(build(), tokenizer, moved_by=0.0)
    with torch.no_grad():
        for row, (query, response) in enumerate(
            zip(batch["queries"], batch["responses"], strict=True)
        ):
            for _ in range(len(response)):
                logits = trainer.ref_model(input_ids=query[None])[0]
                query = torch.cat([query, logits[0, -1].argmax()[None]])
            batch["responses"][row] = query[-len(response) :]
        for parameter in trainer.model.parameters():
            parameter.mul_(0.7)
    assert trainer.step(**batch)["objective/kl"] < -1
    assert "top_k=0" in caplog.text


def test_scores_are_scaled_by_all_that_were_seen_these_included(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    """The original of 0.11 stops here with an AttributeError."""
    scores = torch.stack(batch["scores"])
    std = scores.std() + torch.finfo(torch.float32).eps
    scaled = trainer_of(build(), tokenizer, use_score_scaling=True).step(**batch)
    assert scaled["ppo/mean_scores"] == pytest.approx(float(scores.mean() / std), rel=1e-5)
    centred = trainer_of(build(), tokenizer, use_score_scaling=True, use_score_norm=True)
    assert centred.step(**batch)["ppo/mean_scores"] == pytest.approx(0.0, abs=1e-6)
    clipped = trainer_of(build(), tokenizer, score_clip=0.5).step(**batch)
    assert clipped["ppo/mean_scores"] == pytest.approx((0.5 - 0.5 + 0.25 + 0.5) / 4)


def test_scores_of_one_element_are_taken(build: Any, tokenizer: Any, batch: Any) -> None:
    batch["scores"] = [score[None] for score in batch["scores"]]
    assert trainer_of(build(), tokenizer).step(**batch)["ppo/mean_scores"] == 0.8125


def test_whitened_rewards_change_the_advantages(build: Any, tokenizer: Any, batch: Any) -> None:
    plain = trainer_of(build(), tokenizer).step(**batch)
    whitened = trainer_of(build(), tokenizer, whiten_rewards=True).step(**batch)
    assert whitened["ppo/returns/mean"] != pytest.approx(plain["ppo/returns/mean"], rel=1e-3)
    assert whitened["objective/kl"] == plain["objective/kl"]
