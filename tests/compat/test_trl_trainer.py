"""The classic `step`: compared with the same rules written out by loops, and its guards."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import peft
import pytest
import torch
from torch import Tensor

from luciola.compat.trl import (
    AutoModelForCausalLMWithValueHead,
    ClassicError,
    PPOConfig,
    PPOTrainer,
    set_seed,
)
from support import build_llama

NAMES = {
    *(f"objective/{n}" for n in ("kl", "kl_dist", "logprobs", "ref_logprobs", "kl_coef")),
    *("objective/entropy", "ppo/mean_non_score_reward", "ppo/mean_scores", "ppo/std_scores"),
    *("ppo/learning_rate", "ppo/loss/policy", "ppo/loss/value", "ppo/loss/total"),
    *(f"ppo/policy/{n}" for n in ("entropy", "approxkl", "policykl", "clipfrac", "advantages")),
    *("ppo/policy/advantages_mean", "ppo/policy/ratio", "ppo/returns/mean", "ppo/returns/var"),
    *(f"ppo/val/{n}" for n in ("vpred", "error", "clipfrac", "mean", "var", "var_explained")),
    *(f"tokens/queries_{n}" for n in ("len_mean", "len_std", "dist")),
    *(f"tokens/responses_{n}" for n in ("len_mean", "len_std", "dist")),
    *(f"time/ppo/{n}" for n in ("forward_pass", "compute_rewards", "compute_advantages")),
    *(f"time/ppo/{n}" for n in ("optimize_step", "calc_stats", "total")),
}


def settings(**changed: Any) -> PPOConfig:
    """Four samples in mini-batches of two, and a learning rate that moves a tiny model."""
    given = {"batch_size": 4, "mini_batch_size": 2, "learning_rate": 3e-3, "ppo_epochs": 2}
    return PPOConfig(**{**given, **changed})


def trainer_of(model: Any, tokenizer: Any, *, moved_by: float = 0.03, **changed: Any) -> Any:
    """A trainer whose policy has left its reference a little."""
    reference = copy.deepcopy(model)
    trained = moved(model, by=moved_by) if moved_by else model
    return PPOTrainer(settings(**changed), trained, reference, tokenizer)


def moved(model: Any, *, by: float) -> Any:
    """The model with every weight changed a little, so that it differs from its reference."""
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(by * torch.randn(parameter.shape, generator=random))
    return model


def no_times(stats: dict[str, Any]) -> dict[str, Any]:
    return {name: v for name, v in stats.items() if not name.startswith("time/")}


def by_loops(
    model: Any, reference: Any, config: PPOConfig, batch: dict[str, list[Tensor]]
) -> dict[str, float]:
    """One classic step sample by sample and token by token, without padding; trains `model`."""
    pairs = list(zip(batch["queries"], batch["responses"], strict=True))

    def look(one: Any, query: Tensor, response: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        one.eval()
        logits, _, values = one(input_ids=torch.cat([query, response])[None])
        start = len(query) - 1
        logits = logits[0, start:-1].log_softmax(-1)
        return logits.gather(1, response[:, None])[:, 0], values[0, start:-1], logits

    with torch.no_grad():
        old = [look(model, *pair) for pair in pairs]
        ref = [look(reference, *pair)[0] for pair in pairs]
    advantages, returns = [], []
    for (logprobs, values, _), ref_logprobs, score in zip(old, ref, batch["scores"], strict=True):
        rewards = -config.init_kl_coef * (logprobs - ref_logprobs)
        rewards[-1] += score
        found, following = [], 0.0
        for t in reversed(range(len(values))):
            after = values[t + 1] if t + 1 < len(values) else 0.0
            following = (
                rewards[t]
                + config.gamma * after
                - values[t]
                + config.gamma * config.lam * following
            )
            found.insert(0, following)
        advantages.append(torch.stack(found))
        returns.append(advantages[-1] + values)
    every = torch.cat(advantages)
    scale = (every.var() + 1e-8) ** -0.5
    advantages = [(a - every.mean()) * scale for a in advantages]
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    sums: dict[str, list[float]] = {}
    for _ in range(config.ppo_epochs):
        order = np.random.permutation(config.batch_size)
        for start in range(0, config.batch_size, config.backward_batch_size):
            chosen = order[start : start + config.backward_batch_size]
            for i in range(0, len(chosen), config.mini_batch_size):
                rows = chosen[i : i + config.mini_batch_size]
                now = [look(model, *pairs[row]) for row in rows]
                logprobs, values = torch.cat([n[0] for n in now]), torch.cat([n[1] for n in now])
                before, guess = (torch.cat([old[r][k] for r in rows]) for k in (0, 1))
                gain, goal = (torch.cat([x[r] for r in rows]) for x in (advantages, returns))
                ratio = (logprobs - before).exp()
                clip = config.cliprange
                policy = torch.max(-gain * ratio, -gain * ratio.clamp(1 - clip, 1 + clip)).mean()
                near = torch.clamp(
                    values, guess - config.cliprange_value, guess + config.cliprange_value
                )
                value = 0.5 * torch.max((values - goal) ** 2, (near - goal) ** 2).mean()
                loss = policy + config.vf_coef * value
                (loss / config.gradient_accumulation_steps).backward()
                logits = torch.cat([n[2] for n in now])
                for name, figure in {
                    "loss/policy": policy,
                    "loss/value": value,
                    "loss/total": loss,
                    "policy/entropy": -(logits.exp() * logits).sum(-1).mean(),
                    "policy/approxkl": 0.5 * ((logprobs - before) ** 2).mean(),
                    "policy/policykl": (before - logprobs).mean(),
                    "policy/clipfrac": (-gain * ratio.clamp(1 - clip, 1 + clip) > -gain * ratio)
                    .float()
                    .mean(),
                    "policy/advantages_mean": gain.mean(),
                    "returns/mean": goal.mean(),
                    "returns/var": goal.var(),
                    "val/vpred": values.mean(),
                    "val/error": ((values - goal) ** 2).mean(),
                    "val/clipfrac": ((near - goal) ** 2 > (values - goal) ** 2).float().mean(),
                    "val/mean": guess.mean(),
                    "val/var": guess.var(),
                }.items():
                    sums.setdefault(f"ppo/{name}", []).append(float(figure.detach()))
            optimizer.step()
            optimizer.zero_grad()
    means = {name: sum(found) / len(found) for name, found in sums.items()}
    kls = [(o[0] - r).sum() for o, r in zip(old, ref, strict=True)]
    return {
        **means,
        "ppo/val/var_explained": 1 - means["ppo/val/error"] / means["ppo/returns/var"],
        "objective/kl": float(torch.stack(kls).mean()),
        "ppo/mean_non_score_reward": float(
            -config.init_kl_coef * torch.stack(kls).sum() / sum(len(r) for r in ref)
        ),
        "objective/kl_coef": config.init_kl_coef,
        "objective/entropy": float(torch.stack([-o[0].sum() for o in old]).mean()),
    }


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_a_step_equals_its_rules_written_out_by_loops(
    side: str, accumulation: int, build: Any, tokenizer: Any, batch: Any
) -> None:
    """Statistics and trained weights, whichever side is padded; the loops pad nothing."""
    tokenizer.padding_side = side
    changed = {"mini_batch_size": 4 // (2 * accumulation), "cliprange": 0.05}
    changed["gradient_accumulation_steps"] = accumulation
    trainer = trainer_of(build(), tokenizer, **changed)
    model, reference = copy.deepcopy(trainer.model), trainer.ref_model
    np.random.seed(5)
    stats = trainer.step(**batch)
    np.random.seed(5)
    wanted = by_loops(model.requires_grad_(True), reference, trainer.config, batch)
    assert {n: stats[n] for n in wanted} == pytest.approx(wanted, rel=1e-4, abs=1e-5)
    assert wanted["ppo/policy/clipfrac"] > 0.05  # else clipping would not have been compared
    expected = dict(model.named_parameters())
    for name, trained in trainer.model.named_parameters():
        if "c_attn.bias" not in name:  # a key's bias has no gradient but rounding
            torch.testing.assert_close(trained, expected[name], rtol=1e-3, atol=1e-4)


def test_the_statistics_have_the_names_of_the_original(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    stats = trainer_of(build(), tokenizer).step(**batch)
    assert set(stats) == NAMES
    longest = max(len(q) + len(r) for q, r in zip(*list(batch.values())[:2], strict=True))
    assert stats["objective/logprobs"].shape == (4, longest - 1)
    assert stats["ppo/policy/ratio"].shape == (2 * 4 * (longest - 1),)
    assert stats["tokens/responses_dist"].tolist() == [4.0, 2.0, 5.0, 3.0]
    assert all(isinstance(v, float | np.ndarray) for v in stats.values())


def test_before_anything_is_learned_kl_is_zero_and_the_first_ratio_one(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    trainer = PPOTrainer(settings(ppo_epochs=1, mini_batch_size=4), build(), None, tokenizer)
    stats = trainer.step(**batch)
    assert stats["objective/kl"] == 0.0
    assert np.abs(stats["ppo/policy/ratio"] - 1).max() < 1e-6


def test_an_odd_padding_token_changes_nothing(build: Any, tokenizer: Any, batch: Any) -> None:
    stats = trainer_of(build(), tokenizer).step(**batch)
    tokenizer.pad_token_id = 7
    other = trainer_of(build(), tokenizer).step(**batch)
    for name in ("objective/kl", "ppo/loss/total", "ppo/policy/entropy", "ppo/val/error"):
        assert stats[name] == pytest.approx(other[name], rel=1e-5)


def test_dropout_never_acts(build: Any, tokenizer: Any, batch: Any) -> None:
    """Mini-batches in one order, but torch's random numbers and the model's mode differ."""
    first, second = (trainer_of(build(), tokenizer, mini_batch_size=4) for _ in range(2))
    second.model.train()
    torch.manual_seed(77)
    losses = [trainer.step(**batch)["ppo/loss/total"] for trainer in (first, second)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_training_leaves_the_random_numbers_for_sampling_alone(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    trainer = trainer_of(build(), tokenizer)
    set_seed(3)
    wanted = torch.rand(3)
    set_seed(3)
    trainer.step(**batch)
    assert torch.equal(torch.rand(3), wanted)


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


def test_whitened_rewards_change_the_advantages(build: Any, tokenizer: Any, batch: Any) -> None:
    plain = trainer_of(build(), tokenizer).step(**batch)
    whitened = trainer_of(build(), tokenizer, whiten_rewards=True).step(**batch)
    assert whitened["ppo/returns/mean"] != pytest.approx(plain["ppo/returns/mean"], rel=1e-3)
    assert whitened["objective/kl"] == plain["objective/kl"]


def test_a_step_ends_early_once_the_policy_has_moved(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    """2 mini-batches of 10 padded cells an epoch, one epoch of nine."""
    width = len(trainer_of(build(), tokenizer, ppo_epochs=1).step(**batch)["ppo/policy/ratio"])
    changed = {"ppo_epochs": 9, "early_stopping": True, "target_kl": -10.0}
    stopped = trainer_of(build(), tokenizer, **changed).step(**batch)
    assert len(stopped["ppo/policy/ratio"]) == width
    changed["target_kl"] = 10.0
    whole = trainer_of(build(), tokenizer, **changed).step(**batch)
    assert len(whole["ppo/policy/ratio"]) == 9 * width


def test_a_mini_batch_whose_ratio_has_run_away_trains_nothing(
    build: Any, tokenizer: Any, batch: Any, caplog: Any
) -> None:
    trainer = trainer_of(build(), tokenizer, ratio_threshold=0.5)
    before = copy.deepcopy(trainer.model)
    stats = trainer.step(**batch)
    assert "skipped" in caplog.text and stats["ppo/loss/total"] == 0.0
    for now, then in zip(trainer.model.parameters(), before.parameters(), strict=True):
        assert torch.equal(now, then)


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


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"queries": "text"}, "queries must be a list of tensors, got str"),
        ({"responses": [1, 2, 3, 4]}, "elements of responses must be tensors, got int"),
        ({"scores": [torch.tensor(1.0)] * 3}, "does not match the 3 examples of scores"),
        ({"scores": [torch.ones(2)] * 4}, "one number each, got 2 at 0"),
        ({"scores": [torch.ones(1, 1)] * 4}, "one number each, got 2-D at 0"),
        ({"scores": [torch.tensor(math.nan)] * 4}, "scores[0] is nan"),
        ({"responses": [torch.tensor([5])] * 3 + [torch.tensor([], dtype=torch.long)]}, "at least"),
        ({"response_masks": [torch.ones(1)] * 4}, "response_masks[0] has shape (1,)"),
    ],
)
def test_a_wrong_argument_is_named(
    changed: dict[str, Any], said: str, build: Any, tokenizer: Any, batch: Any
) -> None:
    trainer = trainer_of(build(), tokenizer)
    with pytest.raises(ValueError) as caught:
        trainer.step(**{**batch, **changed})
    assert said in str(caught.value) and isinstance(caught.value, ClassicError)


def test_scores_of_one_element_are_taken(build: Any, tokenizer: Any, batch: Any) -> None:
    batch["scores"] = [score[None] for score in batch["scores"]]
    assert trainer_of(build(), tokenizer).step(**batch)["ppo/mean_scores"] == 0.8125


def test_the_gradient_is_clipped_where_asked(build: Any, tokenizer: Any, batch: Any) -> None:
    """Under plain gradient descent of rate 1 a step is as long as the gradient."""
    lengths = []
    for limit in (None, 0.01):
        model = build()
        before = [p.detach().clone() for p in model.parameters()]
        descent = torch.optim.SGD(model.parameters(), lr=1.0)
        given = settings(mini_batch_size=4, ppo_epochs=1, max_grad_norm=limit)
        PPOTrainer(given, model, None, tokenizer, optimizer=descent).step(**batch)
        steps = [p.detach() - b for p, b in zip(model.parameters(), before, strict=True)]
        lengths.append(float(torch.cat([step.flatten() for step in steps]).norm()))
    assert lengths[0] > 0.05 and lengths[1] == pytest.approx(0.01, rel=1e-3)


def test_a_scheduler_moves_once_a_step(build: Any, tokenizer: Any, batch: Any) -> None:
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    trainer = PPOTrainer(
        settings(), model, None, tokenizer, optimizer=optimizer, lr_scheduler=schedule
    )
    rates = [trainer.step(**batch)["ppo/learning_rate"] for _ in range(2)]
    assert rates == [1e-3, 5e-4]


def test_the_trainer_refuses_what_it_cannot_use(build: Any, tokenizer: Any) -> None:
    model = build()
    for arguments, said in [
        (({}, model, None, tokenizer), "config must be a PPOConfig, got dict"),
        ((settings(), model.pretrained_model, None, tokenizer), "model must be an AutoModel"),
        ((settings(), model, model, tokenizer), "ref_model is the model itself"),
        ((settings(), model, None, "gpt2"), "tokenizer must be"),
    ]:
        with pytest.raises(ClassicError, match=said):
            PPOTrainer(*arguments)


def test_the_data_loader_gives_whole_shuffled_batches(build: Any, tokenizer: Any) -> None:
    rows = [{"input_ids": torch.arange(n + 1), "query": str(n)} for n in range(10)]
    trainer = PPOTrainer(settings(), build(), None, tokenizer, dataset=rows)
    batches = list(trainer.dataloader)
    assert [len(batch["query"]) for batch in batches] == [4, 4]
    assert [q for batch in batches for q in batch["query"]] != [str(n) for n in range(8)]
    assert all(len(i) == int(q) + 1 for i, q in zip(*batches[0].values(), strict=True))


def test_logged_statistics_reach_the_tracker(
    build: Any, tokenizer: Any, batch: Any, tmp_path: Any
) -> None:
    where = {"log_with": "tensorboard", "project_kwargs": {"logging_dir": str(tmp_path / "logs")}}
    trainer = trainer_of(build(), tokenizer, **where)
    texts = {"query": list("abcd"), "response": list("efgh")}
    logs = trainer.log_stats(trainer.step(**batch), texts, batch["scores"])
    assert logs["env/reward_mean"] == 0.8125
    assert logs["env/reward_std"] == pytest.approx(float(torch.stack(batch["scores"]).std()))
    assert logs["game_log"][1] == ["b", "f", -0.5]
    assert list((tmp_path / "logs" / "tensorboard").iterdir())


@pytest.mark.gpu
def test_a_step_on_the_gpu_takes_queries_from_the_cpu(
    build: Any, tokenizer: Any, batch: Any
) -> None:
    trainer = PPOTrainer(settings(), build(), None, tokenizer)
    assert trainer.current_device.type == "cuda"
    sampling = {"do_sample": True, "top_k": 0, "top_p": 1.0, "max_new_tokens": 4}
    answers = trainer.generate(batch["queries"], return_prompt=False, **sampling)
    stats = trainer.step(batch["queries"], answers, batch["scores"])
    assert abs(stats["objective/kl"]) < 1e-3
