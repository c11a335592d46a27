"""luciola.rl.train: what it is given decides the method, and each runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import GPT2Config, GPT2LMHeadModel

import luciola
import luciola.rl
from luciola.compat.trlx import (
    TRLConfig,
    default_ilql_config,
    default_ppo_config,
    default_sft_config,
)
from luciola.compat.trlx.rewards import FunctionReward
from luciola.compat.trlx.training import examples_of
from luciola.errors import ConfigError, DataError
from luciola.training.loop import Loop
from luciola.types import Answered
from support import build_tokenizer, write_model

SMALL = {
    "train": {"epochs": 2, "batch_size": 4, "seq_length": 32, "eval_interval": 2, "seed": 3},
    "optimizer.kwargs.lr": 1e-2,
}


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A two-layer model."""
    return str(write_model(tmp_path / "model"))


def test_a_reward_function_trains_with_ppo(model: str) -> None:
    """It sees what it names, other columns included, in training and at both evaluations."""
    seen: list[dict[str, Any]] = []

    def letters(samples: list[str], outputs: list[str], hint: list[str], tokenizer: Any) -> Any:
        seen.append({"samples": samples, "outputs": outputs, "hint": hint, "end": tokenizer})
        return [float(output.count("e")) for output in outputs]

    def lengths(samples: list[str], **others: Any) -> dict[str, list[float]]:
        return {"characters": [float(len(sample)) for sample in samples]}

    changes = {"method": {"ppo_epochs": 1, "num_rollouts": 8, "gen_kwargs": {"max_new_tokens": 6}}}
    config = TRLConfig.update(default_ppo_config(), {**SMALL, **changes})
    prompts = [{"prompt": f"say {n}", "hint": str(n)} for n in range(8)]
    result = luciola.rl.train(
        model, reward_fn=letters, prompts=prompts, metric_fn=lengths, config=config
    )
    assert result.ending == "finished" and (result.model / "config.json").is_file()
    assert result.figures["steps"] == 4
    for call in seen:
        for sample, output, hint in zip(
            call["samples"], call["outputs"], call["hint"], strict=True
        ):
            assert sample == f"say {hint}{output}"
        assert call["end"].eos_token == "<end>"
    assert {len(call["samples"]) for call in seen} == {8, 4}
    evaluations = result.figures["evaluations"]
    assert len(evaluations) >= 2 and evaluations[-1]["characters"] > len("say 0")
    again = luciola.rl.train(model, reward_fn=letters, prompts=prompts, config=config)
    assert again.ending == "finished"  # trained anew, not found finished


def test_samples_with_rewards_train_with_ilql(model: str) -> None:
    """Evaluated at every beta of the list; the heads lie beside the model."""

    def length(outputs: list[str]) -> dict[str, list[float]]:
        return {"characters": [float(len(output)) for output in outputs]}

    changes = {"method.gen_kwargs": {"max_new_tokens": 4, "beta": [0, 8], "top_k": 5}}
    config = TRLConfig.update(default_ilql_config(), {**SMALL, **changes})
    result = luciola.rl.train(
        model,
        samples=[["say", word] for word in ("one", "two", "three", "four")] * 2,
        rewards=[0.0, 1.0, 2.0, 3.0] * 2,
        eval_prompts=["say", "tell"],
        metric_fn=length,
        config=config,
    )
    assert result.ending == "finished" and result.figures["steps"] == 4
    assert (result.model / "ilql_heads.safetensors").is_file()
    last = result.figures["evaluations"][-1]
    assert last["characters@beta=0"] > 0 and last["characters@beta=8"] > 0


def test_samples_alone_are_fine_tuned_on(model: str) -> None:
    config = TRLConfig.update(default_sft_config(), SMALL)
    result = luciola.rl.train(model, samples=["one text", "another"] * 4, config=config)
    assert result.ending == "finished" and result.figures["steps"] == 4
    assert (result.model / "config.json").is_file()


def test_of_a_text_all_is_trained_and_of_a_dialogue_its_outputs() -> None:
    tokenizer = build_tokenizer()
    samples = ["abc", ["de", "fgh"], ["i", "jk", "l", "mn"]]
    examples = examples_of(samples, tokenizer, 32, 0)
    trained = [
        (tokenizer.decode(tokens.ids), tokenizer.decode(tokens.ids[tokens.trained]))
        for tokens in (examples.source.tokens(i, 0) for i in range(3))
    ]
    assert trained == [
        ("<end>abc<end>", "abc<end>"),
        ("defgh<end>", "fgh<end>"),
        ("ijklmn<end>", "jkmn<end>"),
    ]
    left = examples_of(samples, tokenizer, 3, 0, "left").source.tokens(1, 0)
    assert tokenizer.decode(left.ids) == "<end>h<end>"
    with pytest.raises(DataError, match="samples:1:"):
        examples_of([["a", "b", "c"]], tokenizer, 32, 0)
    with pytest.raises(DataError, match="seq_length=1"):
        examples_of(["abc"], tokenizer, 1, 0)


def test_a_reward_may_take_every_argument_by_name() -> None:
    answered = [Answered("p", "a", metadata={"n": 1}), Answered("q", "b", metadata={"n": 2})]
    found = FunctionReward(lambda **given: given, "t").score(answered).scores
    assert found == {
        "samples": ["pa", "qb"],
        "prompts": ["p", "q"],
        "outputs": ["a", "b"],
        "tokenizer": "t",
        "n": [1, 2],
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "neither reward_fn nor samples"),
        ({"reward_fn": len}, "no prompts to answer"),
        ({"samples": ["a"], "config": default_ppo_config()}, "ask for SFTConfig"),
        ({"samples": ["a"], "rewards": [1.0, 2.0]}, "1 samples and 2 rewards"),
    ],
)
def test_what_does_not_go_together_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigError, DataError), match=said):
        luciola.rl.train("m", **given)


def test_other_data_of_the_same_number_has_its_own_folder(model: str) -> None:
    """Of every method; the first run's model stays."""
    small = {**SMALL, "train": {**SMALL["train"], "epochs": 1}}
    short = {"method": {"ppo_epochs": 1, "num_rollouts": 4, "gen_kwargs": {"max_new_tokens": 2}}}
    ppo = TRLConfig.update(default_ppo_config(), {**small, **short})
    ilql = TRLConfig.update(
        default_ilql_config(), {**small, "method.gen_kwargs": {"max_new_tokens": 4}}
    )
    sft = TRLConfig.update(default_sft_config(), small)

    def reward(weight: float) -> Any:
        return lambda outputs, **_: [weight for _ in outputs]

    words = ["aa", "bb", "cc", "dd"]
    calls: list[dict[str, Any]] = [
        {"reward_fn": reward(1), "prompts": words, "config": ppo},
        {"reward_fn": reward(1), "prompts": words[::-1], "config": ppo},
        {"reward_fn": reward(2), "prompts": words, "config": ppo},
        {"samples": words, "rewards": [0, 1, 2, 3], "config": ilql},
        {"samples": words, "rewards": [3, 2, 1, 0], "config": ilql},
        {"samples": words, "config": sft},
        {"samples": words[::-1], "config": sft},
    ]
    folders = [luciola.rl.train(model, **call).folder for call in calls]
    assert len(set(folders)) == len(calls)
    assert all((folder / "model" / "config.json").is_file() for folder in folders)
    assert luciola.rl.train(model, **calls[0]).folder == folders[0]


def test_a_run_whose_reward_cannot_be_compared_is_not_gone_on_with(model: str) -> None:
    rated = iter([1.0])
    generator = (score for score in rated)
    config = TRLConfig.update(
        default_ppo_config(), {**SMALL, "train.resume_from_checkpoint": "ckpts/1"}
    )
    with pytest.raises(ConfigError, match="not known which run to go on with"):
        luciola.rl.train(
            model,
            reward_fn=lambda outputs: [next(generator) for _ in outputs],
            prompts=["a"],
            config=config,
        )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prompts": ["a"], "metric_fn": len, "stop_sequences": ["."]},
         "train: no effect with SFT: prompts, stop_sequences, metric_fn"),
        ({"rewards": [1.0], "eval_prompts": ["a"]},
         "train: no effect with ILQL: eval_prompts"),
        ({"rewards": [1.0], "metric_fn": len}, "train: no effect with ILQL: metric_fn"),
    ],
)  # fmt: skip
def test_no_argument_is_dropped_in_silence(
    given: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The call itself ends here: the configuration is of another method."""
    with pytest.raises(ConfigError, match="ask for"):
        luciola.rl.train("m", samples=["a"], config=default_ppo_config(), **given)
    assert said in caplog.text


SAMPLES = [["say", word] for word in ("one", "two", "three", "four")] * 2
REWARDS = [0.0, 1.0, 2.0, 3.0] * 2


def test_every_name_of_an_old_scripts_import_is_there() -> None:
    names = {f.__name__ for f in vars(luciola.rl).values() if isinstance(f, type)}
    assert {
        "TRLConfig", "TrainConfig", "ModelConfig", "TokenizerConfig", "OptimizerConfig",
        "SchedulerConfig", "PPOConfig", "ILQLConfig", "SFTConfig",
    } == names  # fmt: skip


def test_samples_and_rewards_may_come_as_one_dataset(model: str) -> None:
    """Third in the call, as trlx had it; the same run as with both names."""
    changes = {"train.total_steps": 2, "method.gen_kwargs": {"max_new_tokens": 4}}
    config = TRLConfig.update(default_ilql_config(), {**SMALL, **changes})
    named = luciola.rl.train(model, samples=SAMPLES, rewards=REWARDS, config=config)
    paired = luciola.rl.train(model, None, (SAMPLES, REWARDS), config=config)
    assert paired.folder == named.folder and paired.ending == "finished"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dataset": SAMPLES}, r"dataset must be \(samples, rewards\), got a list of 8"),
        ({"dataset": {"text": []}}, r"dataset must be \(samples, rewards\), got a dict"),
        ({"dataset": (SAMPLES, REWARDS), "samples": SAMPLES}, "dataset is given beside samples"),
    ],
)
def test_a_dataset_that_is_no_pair_is_refused(given: dict[str, Any], said: str, model: str) -> None:
    with pytest.raises(ConfigError, match=said):
        luciola.rl.train(model, **given)


def test_a_model_object_is_named_by_its_kind_in_one_line() -> None:
    """In the call and in the configuration, for trlx's call and for ours."""
    sizes = GPT2Config(n_layer=1, n_embd=8, n_head=2, vocab_size=9)
    config = TRLConfig.update(default_sft_config(), {"model.model_path": sizes})
    for given in ({"model_path": sizes}, {"config": config}):
        with pytest.raises(ConfigError) as error:
            luciola.rl.train(samples=["a b"], **given)  # type: ignore[arg-type]
        assert str(error.value).splitlines()[0] == (
            "train: the model must be a hub id or a folder, got a GPT2Config object"
        )
    with pytest.raises(ConfigError) as error:
        luciola.ppo(model=GPT2LMHeadModel(sizes), prompts=["a"], reward=len)
    assert "model must be text, got a GPT2LMHeadModel object\n" in str(error.value)


def test_the_trained_model_is_saved_where_a_script_asks(model: str, tmp_path: Path) -> None:
    config = TRLConfig.update(default_sft_config(), {**SMALL, "train.total_steps": 1})
    trainer = luciola.rl.train(Path(model), samples=["a b c"] * 4, config=config)  # type: ignore[arg-type]
    target = tmp_path / "saved"
    for _ in range(2):  # a model is replaced by a model
        trainer.save_pretrained(target)
    weights = (trainer.model / "model.safetensors").read_bytes()
    assert (target / "model.safetensors").read_bytes() == weights
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(ConfigError, match="mine is not empty, and no model"):
        trainer.save_pretrained(tmp_path / "mine")
    with pytest.raises(ConfigError, match="is the run's model itself"):
        trainer.save_pretrained(trainer.model)


def test_scores_of_an_answers_text_leave_out_the_end_token() -> None:
    """a b <end>: two scores or three; an answer that was cut has no end token to leave out."""
    ended = Answered("p", "a b", token_count=3, finish="end")
    cut = Answered("p", "a b", token_count=2, finish="length")
    for given, expected in (([1.0, 2.0], [1.0, 2.0, 0.0]), ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])):
        reward = FunctionReward(lambda outputs, scores=given: [scores], build_tokenizer())
        assert reward.score([ended]).scores == [expected]
    short = FunctionReward(lambda outputs: [[1.0]], build_tokenizer())
    assert short.score([cut]).scores == [[1.0]]


def test_an_interrupted_call_says_what_goes_on_with_it(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call begins anew unless it is told to resume; a reward that cannot be compared never
    resumes.
    """
    changes = {"method": {"ppo_epochs": 1, "num_rollouts": 4, "gen_kwargs": {"max_new_tokens": 4}}}
    config = TRLConfig.update(default_ppo_config(), {**SMALL, **changes})
    monkeypatch.setattr(Loop, "run", lambda loop: SimpleNamespace(
        ending="interrupted", counters=SimpleNamespace(step=1)
    ))  # fmt: skip
    endless = (0.0 for _ in iter(int, 1))

    def incomparable(outputs: list[str]) -> list[float]:
        return [next(endless) for _ in outputs]

    def plain(outputs: list[str]) -> list[float]:
        return [0.0 for _ in outputs]

    def said(reward: Any, resumes: bool = False) -> str:
        given = config.evolve(train={"resume_from_checkpoint": resumes})
        return luciola.rl.train(model, reward_fn=reward, prompts=["a"] * 4, config=given).text

    assert said(plain).endswith("train.resume_from_checkpoint=True to go on from there.")
    assert said(plain, resumes=True).endswith("Run the same command again to go on from there.")
    assert "begins anew, because something" in said(incomparable)
    assert "luciola.named('NAME', ...)" in said(incomparable)
