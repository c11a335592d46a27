"""TRLConfig: changes at every depth, and no misspelling that passes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import peft
import pytest

from luciola.compat.trlx import (
    PPOConfig,
    TRLConfig,
    default_ilql_config,
    default_ppo_config,
    default_sft_config,
    recipes,
)
from luciola.config.ilql import IlqlConfig
from luciola.config.load import from_mapping
from luciola.config.online import PpoConfig
from luciola.config.training import TrainingConfig
from luciola.errors import ConfigError


def settings(**changes: Any) -> dict[str, Any]:
    """What PPO becomes of the defaults and these changes."""
    return recipes.ppo(TRLConfig.update(default_ppo_config(), changes), "m", ())


def test_changes_are_taken_dotted_and_nested() -> None:
    base = default_ppo_config()
    dotted = TRLConfig.update(base, {"method.gamma": 0.9, "train.seed": 1})
    assert isinstance(dotted.method, PPOConfig) and dotted.method.gamma == 0.9
    assert dotted.method.lam == 0.95 and dotted.train.seed == 1
    assert base.evolve(method={"gamma": 0.9}, train={"seed": 1}) == dotted
    assert TRLConfig.update(base.to_dict(), {"method": {"gamma": 0.9}, "train.seed": 1}) == dotted
    assert base == default_ppo_config()


def test_open_sections_take_any_key_and_keep_the_others() -> None:
    changed = TRLConfig.update(default_ilql_config(), {"method.gen_kwargs.top_p": 0.9})
    assert changed.method.gen_kwargs == {**default_ilql_config().method.gen_kwargs, "top_p": 0.9}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method.gama": 0.9}, "unknown setting 'method.gama'\n  → Did you mean method.gamma"),
        ({"method": {"gama": 0.9}}, "unknown setting 'method.gama'"),
        ({"trian.seed": 1}, "unknown setting 'trian'\n  → Did you mean train"),
        ({"train": 3}, "train must be a mapping"),
        ({"method.name": "DPOConfig"}, "method.name is 'DPOConfig'"),
    ],
)
def test_a_misspelt_key_is_an_error_at_every_depth(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TRLConfig.update(default_ppo_config(), changes)
    assert said in str(caught.value)
    with pytest.raises(TypeError):
        PPOConfig(gama=1)  # type: ignore[call-arg]


def test_the_defaults_become_a_recipe_of_ours() -> None:
    """Every number of the original's defaults, and none that our recipe refuses."""
    made = from_mapping(PpoConfig, {**settings(), "prompts": "p", "reward": ["r.py:f"]})
    numbers = {
        "iterations": 100,
        "rollouts": 128,
        "updates": 4,
        "batch": 32,
        "max_steps": 10000,
        "kl_coef": 0.001,
        "kl_target": 0,
        "gamma": 1.0,
        "lam": 0.95,
        "clip": 0.2,
        "clip_value": 0.2,
        "vf_coef": 1.0,
        "score_clip": 10,
        "max_new_tokens": 40,
        "lr": 3e-5,
        "betas": (0.9, 0.95),
        "adam_eps": 1e-8,
        "weight_decay": 1e-6,
        "seed": 1000,
        "schedule": "constant",
        "adapter": "full",
        "max_length": 1024,
        "eval_every": 100,
    }
    assert {name: getattr(made, name) for name in numbers} == numbers
    sft = from_mapping(TrainingConfig, recipes.sft(default_sft_config(), "m"))
    assert (sft.epochs, sft.batch, sft.lr) == (100, 8, 1e-4)


def test_ilql_becomes_a_recipe_of_ours(caplog: Any) -> None:
    """A list of betas is kept; a list of anything else is refused."""
    changes = {"method": {"beta": 0.5, "alpha": 0.1, "gen_kwargs": {"beta": [0, 1, 100]}}}
    config = TRLConfig.update(default_ilql_config(), changes)
    made = from_mapping(IlqlConfig, {**recipes.ilql(config, "m"), "data": ["d"]})
    numbers = {
        "tau": 0.7,
        "gamma": 0.99,
        "cql_scale": 0.1,
        "awac_scale": 1.0,
        "awac_beta": 0.5,
        "alpha": 0.1,
        "sync_every": 5,
        "two_qs": True,
        "decode_beta": (0, 1, 100),
        "top_k": 20,
        "max_new_tokens": 56,
        "batch": 128,
        "max_length": 64,
        "lr": 5e-5,
        "epochs": 100,
    }
    assert {name: getattr(made, name) for name in numbers} == numbers
    assert caplog.text == ""
    changed = {"method.gen_kwargs.top_k": [1, 2], "optimizer.kwargs.eps": 1e-5}
    with pytest.raises(ConfigError, match="top_k is a list"):
        recipes.ilql(TRLConfig.update(config, changed), "m")
    assert "eps=1e-05 is not used" in caplog.text


def test_what_is_set_reaches_our_settings() -> None:
    made = settings(
        **{
            "method.target": 6.0,
            "method.scale_reward": "running",
            "method.gen_kwargs.temperature": 0.7,
            "method.num_value_layers_unfrozen": 2,
            "scheduler": {"name": "cosine_annealing", "kwargs": {"T_max": 900, "eta_min": 3e-6}},
            "train.total_steps": 900,
            "train.tracker": "tensorboard",
        }
    )
    wanted = {"kl_target": 6.0, "score_scaling": "scale", "temperature": 0.7, "critic": "separate"}
    wanted |= {"schedule": "cosine", "min_lr": pytest.approx(0.1), "track": ["tensorboard"]}
    assert {name: made[name] for name in wanted} == wanted


def test_an_adapter_is_taken_from_peft() -> None:
    lora = peft.LoraConfig(r=4, lora_alpha=8, lora_dropout=0.1, target_modules=["q", "v"])
    wanted = {"r": 4, "alpha": 8, "dropout": 0.1, "targets": ["q", "v"]}
    assert settings(**{"model.peft_config": lora})["lora"] == wanted
    plain = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
    assert settings(**{"model.peft_config": plain})["lora"] == {"r": 4, "alpha": 8, "targets": []}
    with pytest.raises(ConfigError, match="PREFIX_TUNING"):
        settings(**{"model.peft_config": {"peft_type": "PREFIX_TUNING"}})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model.model_arch_type": "seq2seq"}, "there is only causal"),
        ({"method.scale_reward": "ref"}, "no counterpart"),
        ({"optimizer.name": "sgd"}, "optimizer.name is 'sgd'"),
        ({"optimizer.kwargs.momentum": 1}, "unknown momentum"),
        ({"scheduler.name": "step"}, "scheduler.name is 'step'"),
    ],
)
def test_what_has_no_counterpart_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model.num_layers_unfrozen": 2, "model.peft_config": {"r": 4}},
            "num_layers_unfrozen=2 is not used beside peft_config",
        ),
        ({"method.gen_kwargs.top_k": 20}, "top_k are not used"),
        ({"method.chunk_size": 8}, "TRLConfig: no effect here: method.chunk_size"),
        ({"tokenizer.tokenizer_path": "other"}, "the model's own tokenizer is used"),
    ],
)
def test_what_changes_nothing_is_named(changes: dict[str, Any], said: str, caplog: Any) -> None:
    settings(**changes)
    assert said in caplog.text
    caplog.clear()
    settings()
    assert caplog.text == ""


def test_the_documented_changes_are_understood() -> None:
    page = Path(__file__).parents[2] / "docs" / "from_trlx.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    script = next(block for block in blocks if "evolve" in block)
    names: dict[str, Any] = {}
    exec(script, names)
    made = recipes.ppo(names["config"], "m", ())
    assert (made["gamma"], made["kl_coef"], made["seed"]) == (0.99, 0.05, 1)
    assert made["lora"] == {"r": 8, "alpha": 16}


def test_the_last_layers_are_trained_where_the_others_are_frozen_there() -> None:
    made = settings(**{"model.num_layers_unfrozen": 2})
    assert (made["adapter"], made["freeze_layers"]) == ("freeze", 2)
    with pytest.raises(ConfigError, match="num_layers_unfrozen is 0, so that no layer"):
        settings(**{"model.num_layers_unfrozen": 0})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method.gen_kwargs": {"max_length": 9, "num_return_sequences": 2}},
         "method.gen_kwargs: no effect here: max_length, num_return_sequences"),
        ({"method.gen_experience_kwargs": {"max_new_tokens": 5}},
         "evaluations follow too: max_new_tokens"),
        ({"scheduler": {"name": "linear", "kwargs": {"start_factor": 0.5}}},
         "scheduler.kwargs: no effect here: start_factor"),
        ({"scheduler.kwargs": {"T_max": 20, "eta_min": 0}}, "no effect here: T_max"),
        ({"train.run_name": "mine"}, "no effect here: train.run_name"),
        ({"train.trainer": "MyTrainer"}, "no effect here: train.trainer"),
        ({"train.resume_from_checkpoint": "ckpts/x"}, "is not read as a folder"),
    ],
)  # fmt: skip
def test_no_setting_is_dropped_in_silence(
    changes: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    recipes.ppo(TRLConfig.update(default_ppo_config(), changes), "m", ())
    assert said in caplog.text


def test_what_every_script_of_trlx_says_is_not_complained_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = {"trainer": "AcceleratePPOTrainer", "pipeline": "PromptPipeline", "project_name": "trlx"}
    recipes.ppo(TRLConfig.update(default_ppo_config(), {"train": said}), "m", ())
    recipes.ilql(default_ilql_config(), "m")
    assert not caplog.text


def test_a_configuration_is_read_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("method: {name: ppoconfig, gamma: 0.5}\ntrain: {seed: 7}\n")
    config = TRLConfig.load_yaml(file)
    assert (config.method.gamma, config.train.seed) == (0.5, 7)
    file.write_text("train: {}\n")
    with pytest.raises(ConfigError, match="has no section 'method'"):
        TRLConfig.load_yaml(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        TRLConfig.load_yaml(tmp_path / "none.yml")
