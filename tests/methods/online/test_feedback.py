"""What the roles say of each token, against plain forward passes of transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from luciola.config.training import LoraConfig
from luciola.methods.online.experience import Experience, Rollout
from luciola.methods.online.feedback import Feedback, Layout
from luciola.models.actor_critic import ActorCritic, silence_dropout, using_adapter
from luciola.models.adapters import attach_lora
from luciola.models.roles_building import build_roles, value_head_for
from luciola.models.scorer import RewardCard
from luciola.rollout.weights import SamplingWeights
from support import build_llama

TEMPERATURE = 0.7
PROMPTS = [(5, 6, 7), (5, 6, 7), (9, 10, 11, 12, 13)]
ANSWERS = [(20, 21, 2), (22, 2), (30, 31, 32, 33)]
Roles = Callable[..., ActorCritic]


def rollouts() -> list[Rollout]:
    """Three answers of different lengths to two prompts."""
    return [
        Rollout(
            index=i,
            group=int(i == 2),
            prompt=int(i == 2),
            prompt_ids=prompt,
            ids=answer,
            finish="end",
            sampled=(-1.0,) * len(answer),
            score=float(i),
            parts={"r": float(i)},
        )
        for i, (prompt, answer) in enumerate(zip(PROMPTS, ANSWERS, strict=True))
    ]


def roles(adapter: str = "full", critic: str = "shared", **settings: Any) -> ActorCritic:
    model: Any = build_llama(sharpness=2)
    if adapter == "lora":
        model = attach_lora(model, LoraConfig(), run_seed=0)
    return build_roles(
        model, adapter=adapter, lora=LoraConfig(), continued=False, critic=critic,  # type: ignore[arg-type]
        value_init="random", reference=None, autocast=False, run_seed=0, **settings,
    )  # fmt: skip


def feedback(roles: ActorCritic, kind: str = "packed", kl: str = "k1", **settings: Any) -> Feedback:
    layout = Layout(kind, 16)  # type: ignore[arg-type]
    return Feedback(roles, layout, torch.device("cpu"), TEMPERATURE, kl, **settings)


def scramble(model: nn.Module, size: float = 0.05) -> None:
    """Move everything that is trained."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * size)


def plain(model: Any, prompt: tuple[int, ...], answer: tuple[int, ...]) -> torch.Tensor:
    """(T, V) log-probabilities of the answer's positions at the sampling temperature."""
    ids = torch.tensor([prompt + answer])
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0]
    return (logits[len(prompt) - 1 : -1] / TEMPERATURE).log_softmax(-1)


@pytest.mark.parametrize("kind", ["padded", "packed", "tree"])
@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_log_probabilities_and_kl_are_those_of_plain_passes(kind: str, adapter: str) -> None:
    """At the temperature, of the tokens of the answer and no others, under policy and reference."""
    made = roles(adapter)
    start = build_llama(sharpness=2)
    scramble(made.model)
    for one in feedback(made, kind, kl="full").judged(rollouts()):
        policy = plain(made.model, one.prompt_ids, one.ids)
        reference = plain(start, one.prompt_ids, one.ids)
        chosen = torch.tensor(one.ids)[:, None]
        expected = {
            "logprobs": policy.gather(1, chosen)[:, 0],
            "reference": reference.gather(1, chosen)[:, 0],
            "kls": (policy.exp() * (policy - reference)).sum(1),
            "entropies": -(policy.exp() * policy).sum(1),
        }
        for name, values in expected.items():
            found = torch.tensor(getattr(one, name))
            torch.testing.assert_close(found, values, rtol=1e-4, atol=1e-5, msg=name)


def test_a_picture_shows_the_policy_at_the_same_temperature() -> None:
    """Where nothing was learned, the log-probabilities of after are those of before."""
    made = feedback(roles())
    before = made.judged(rollouts())
    after = made.policy([one.tokens for one in before])
    for one, now in zip(before, after, strict=True):
        torch.testing.assert_close(now["logprobs"], torch.tensor(one.logprobs))
        torch.testing.assert_close(now["values"], torch.tensor(one.values))


@pytest.mark.parametrize("kind", ["padded", "packed", "tree"])
@pytest.mark.parametrize(
    ("adapter", "critic"), [("full", "shared"), ("full", "separate"), ("lora", "separate")]
)
def test_a_value_is_that_of_the_state_before_its_token(
    kind: str, adapter: str, critic: str
) -> None:
    made = roles(adapter, critic)
    if critic == "separate":
        scramble(made)
    for one in feedback(made, kind).judged(rollouts()):
        ids = torch.tensor([one.prompt_ids + one.ids])
        states = _states(made, ids, critic, adapter)[len(one.prompt_ids) - 1 : -1]
        assert made.value_head is not None
        expected = made.value_head(states)[:, 0]
        torch.testing.assert_close(torch.tensor(one.values), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def _states(made: ActorCritic, ids: torch.Tensor, critic: str, adapter: str) -> torch.Tensor:
    model: Any = made.model
    if critic == "separate" and adapter == "full":
        return made.critic(input_ids=ids, use_cache=False).last_hidden_state[0]
    if critic == "separate":
        with using_adapter(model, "critic"):
            return model.base_model.model.model(input_ids=ids).last_hidden_state[0]
    return model.model(input_ids=ids, use_cache=False).last_hidden_state[0]


def test_the_samplers_own_log_probabilities_can_count() -> None:
    judged = feedback(roles(), from_sampler=True).judged(rollouts())
    assert all(one.logprobs == one.sampled for one in judged)


def test_a_separate_critic_leaves_the_actor_alone() -> None:
    """The value loss moves the critic's adapter and head, and nothing of the policy."""
    made = roles("lora", "separate")
    scramble(made)  # with B = 0 nothing would reach A
    trained = {n for n, p in made.named_parameters() if p.requires_grad}
    assert any(".critic." in name for name in trained)
    assert any(".default." in name for name in trained)
    batch = _batch()
    values = made(batch).values
    assert values is not None
    values.sum().backward()
    reached = {n for n, p in made.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached
    assert all(".critic." in name or name.startswith("value_head") for name in reached)


def test_the_reference_pass_leaves_what_is_trained_as_it_is() -> None:
    made = roles("lora", "separate")
    before = {n for n, p in made.named_parameters() if p.requires_grad}
    made(_batch(), reference=True, full_kl=True)
    assert {n for n, p in made.named_parameters() if p.requires_grad} == before


def _batch() -> Any:
    from luciola.methods.stream import lay_out
    from luciola.models.batch import Batch

    row = lay_out([one.tokens for one in rollouts()], "packed", 64)[0]
    return Batch.of(row, "cpu")


def test_an_adapter_switched_off_equals_pefts_own_switch() -> None:
    model: Any = attach_lora(build_llama(), LoraConfig(), run_seed=0)
    scramble(model)
    ids = torch.tensor([[5, 6, 7, 8]])
    assert isinstance(model, peft.PeftModel)
    with torch.no_grad():
        with model.disable_adapter():
            expected = model(input_ids=ids).logits
        with using_adapter(model, None):
            assert torch.equal(model(input_ids=ids).logits, expected)
        assert not torch.equal(model(input_ids=ids).logits, expected)


def test_dropout_is_silenced_wherever_a_family_keeps_it() -> None:
    """Bloom drops states by a number of its own, not through a module."""
    from transformers import BloomConfig, BloomForCausalLM

    torch.manual_seed(0)
    config = BloomConfig(
        vocab_size=97, hidden_size=16, n_layer=1, n_head=2, hidden_dropout=0.5,
        attention_dropout=0.5,
    )  # fmt: skip
    model = BloomForCausalLM(config).train()
    ids = torch.arange(6)[None]
    assert not torch.equal(model(ids).logits, model(ids).logits)
    silence_dropout(model)
    assert torch.equal(model(ids).logits, model(ids).logits)
    assert model.config.hidden_dropout == 0.5, "what is saved says what the model was"


def test_no_role_has_dropout() -> None:
    model: Any = attach_lora(build_llama(), LoraConfig(dropout=0.5), run_seed=0)
    made = build_roles(
        model, adapter="lora", lora=LoraConfig(dropout=0.5), continued=False, critic="separate",
        value_init="zero", reference=None, autocast=False, run_seed=0,
    ).train()  # fmt: skip
    scramble(made)
    batch = _batch()
    assert torch.equal(made(batch).scores.logprobs, made(batch).scores.logprobs)


@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_a_copy_to_sample_from_follows_the_trained_weights(adapter: str) -> None:
    """In its own memory, up to date after `refresh` and not before."""
    model = roles(adapter).model
    weights = SamplingWeights(model, torch.float32)
    scramble(model)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        trained = model(input_ids=ids).logits
        assert not torch.allclose(weights.model(input_ids=ids).logits, trained, atol=1e-3)
        weights.refresh()
        torch.testing.assert_close(weights.model(input_ids=ids).logits, trained)


def test_a_value_head_of_zero_says_zero_and_a_foreign_one_is_refused(tmp_path: Any) -> None:
    from luciola.errors import ModelError

    model = build_llama()
    assert not value_head_for(model, "zero", run_seed=0).weight.any()
    with pytest.raises(ModelError, match="holds no reward model"):
        value_head_for(model, str(tmp_path), run_seed=0)
    save_file({"score.weight": torch.ones(1, 7)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="states of width 7"):
        value_head_for(model, str(tmp_path), run_seed=0)
    width = model.config.hidden_size
    save_file({"score.weight": torch.ones(1, width)}, tmp_path / "model.safetensors")
    assert value_head_for(model, str(tmp_path), run_seed=0).weight.eq(1).all()


def test_columns_survive_a_checkpoint() -> None:
    experience = Experience.of(feedback(roles()).judged(rollouts()))
    experience.columns["advantages"] = torch.randn(experience.mask.shape)
    again = Experience.from_state(experience.state_dict())
    assert again.rollouts == experience.rollouts
    assert all(torch.equal(again.columns[n], v) for n, v in experience.columns.items())
    flat = again.flat([2, 0])
    assert len(flat["values"]) == len(ANSWERS[2]) + len(ANSWERS[0])
    assert flat["values"][0] == experience.columns["values"][2, 0]


@pytest.mark.parametrize("kind", ["padded", "packed"])
def test_out_of_memory_halves_the_rows_and_changes_nothing(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of 100 tokens on a device for 12: halved until they fit, and so they stay."""
    wide = feedback(roles())
    wide.layout = Layout(kind, 100)  # type: ignore[arg-type]
    expected = wide.judged(rollouts())
    narrow = feedback(roles())
    narrow.layout = Layout(kind, 100)  # type: ignore[arg-type]
    sizes: list[int] = []
    judge = Feedback._judge

    def limited(self: Feedback, batch: Any) -> Any:
        if batch.ids.numel() > 12:
            raise torch.OutOfMemoryError("full")
        sizes.append(batch.ids.numel())
        return judge(self, batch)

    monkeypatch.setattr(Feedback, "_judge", limited)
    found = narrow.judged(rollouts())
    for one, other in zip(found, expected, strict=True):
        for name in ("logprobs", "reference", "entropies", "kls", "values"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-5)
    assert len(sizes) > 1
    assert narrow.layout.capacity < 20
    assert narrow.roles.training == wide.roles.training


def test_an_answer_that_is_too_much_by_itself_ends_the_feedback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(self: Feedback, batch: Any) -> Any:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(Feedback, "_judge", full)
    with pytest.raises(torch.OutOfMemoryError, match="full"):
        feedback(roles()).judged(rollouts())


def test_a_value_head_begins_on_the_scale_of_the_reward_models_scores(tmp_path: Path) -> None:
    """In the folder of a run, with gain 0.5 and bias -2: V = 0.5 · 3 · Σ states - 2."""
    folder = tmp_path / "model"
    folder.mkdir()
    save_file({"score.weight": torch.full((1, 32), 3.0)}, folder / "model.safetensors")
    RewardCard(gain=0.5, bias=-2.0).write(folder)
    head = value_head_for(build_llama(), str(tmp_path), run_seed=0)
    assert head.weight.eq(1.5).all() and head.bias.item() == -2.0
