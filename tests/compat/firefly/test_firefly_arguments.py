"""train_args files: every key is translated, told to be without effect, or refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from luciola.compat.firefly import is_train_args, recipe, translate
from luciola.compat.firefly.keys import KNOWN, LACKING, MEANT, OWN, WITHOUT_EFFECT
from luciola.config.preference import DpoConfig
from luciola.config.sft import SftConfig
from luciola.errors import ConfigError

LORA: dict[str, Any] = {
    "output_dir": "output/shop",
    "model_name_or_path": "smollm2-135m",
    "train_file": "chats.jsonl",
    "template_name": "qwen",
    "train_mode": "lora",
    "num_train_epochs": 1,
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 16,
    "learning_rate": 2e-4,
    "max_seq_length": 1024,
    "logging_steps": 100,
    "save_steps": 100,
    "save_total_limit": 1,
    "lr_scheduler_type": "constant_with_warmup",
    "warmup_steps": 100,
    "lora_rank": 64,
    "lora_alpha": 16,
    "lora_dropout": 0.05,
    "gradient_checkpointing": True,
    "disable_tqdm": False,
    "optim": "paged_adamw_32bit",
    "seed": 42,
    "fp16": True,
    "report_to": "none",
    "dataloader_num_workers": 0,
    "save_strategy": "steps",
    "weight_decay": 0,
    "max_grad_norm": 0.3,
    "remove_unused_columns": False,
}
"""Firefly's usual QLoRA settings, with lora."""
LEAST: dict[str, Any] = {
    "model_name_or_path": "m",
    "train_file": "d",
    "max_seq_length": 64,
    "train_mode": "full",
    "bf16": True,
}


def settings(**changes: Any) -> dict[str, Any]:
    """What a small file with some changes becomes."""
    return dict(translate({**LEAST, **changes}, "args.json").settings)


def notices(**changes: Any) -> str:
    """What is said about a small file with some changes."""
    return "\n".join(translate({**LEAST, **changes}, "args.json").notices)


def written(folder: Path, **values: Any) -> Path:
    """A train_args file."""
    path = folder / "args.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_the_usual_file_becomes_the_recipe_that_means_the_same(tmp_path: Path) -> None:
    task, config = recipe(written(tmp_path, **LORA))
    assert task == "sft"
    assert isinstance(config, SftConfig)
    assert (config.model, config.out, config.data[0].path) == (
        "smollm2-135m",
        "output/shop",
        "chats.jsonl",
    )
    assert (config.lora.r, config.lora.alpha, config.lora.dropout) == (64, 16, 0.05)
    assert (config.adapter, config.template, config.batch) == ("lora", "firefly:qwen", 16)
    assert (config.epochs, config.lr, config.max_length, config.seed) == (1, 2e-4, 1024, 42)
    assert (config.schedule, config.warmup, config.max_grad_norm) == ("constant", 100, 0.3)
    assert (config.save_every, config.keep, config.checkpointing) == (100, 1, True)
    assert (config.optimizer, config.precision, config.weight_decay) == ("adamw", "auto", 0)


def test_max_steps_counts_in_the_place_of_epochs() -> None:
    """As in transformers; an epoch of 1 step or more is long enough. Below 0 epochs count."""
    found = translate({**LEAST, "max_steps": 40, "num_train_epochs": 1}, "args.json")
    assert (found.settings["max_steps"], found.settings["epochs"]) == (40, 40)
    assert "max_steps=40 counts, whatever num_train_epochs says" in found.notices
    assert (settings(max_steps=2)["max_steps"], settings(max_steps=2)["epochs"]) == (2, 3)
    assert (settings(max_steps=-1)["max_steps"], settings(max_steps=-1)["epochs"]) == (0, 3)


def test_where_the_file_is_silent_the_defaults_are_those_of_firefly() -> None:
    found = settings(train_mode="lora")
    assert found["lora"] == {"r": 64, "alpha": 16, "dropout": 0.05}
    assert (found["lr"], found["epochs"], found["seed"]) == (5e-5, 3, 42)
    assert (found["batch"], found["save_every"], found["warmup"]) == (8, 500, 0)
    assert (found["schedule"], found["max_grad_norm"]) == ("linear", 1)
    silent = {key: value for key, value in LEAST.items() if key != "train_mode"}
    assert translate(silent, "args.json").settings["adapter"] == "qlora"


def test_a_batch_is_over_all_processes() -> None:
    values = {**LEAST, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 3}
    assert translate(values, "args.json", processes=4).settings["batch"] == 24


def test_dpo_becomes_a_recipe_of_dpo(tmp_path: Path) -> None:
    values = {**LORA, "task_type": "dpo", "beta": 0.2, "max_prompt_length": 300}
    task, config = recipe(written(tmp_path, **values))
    assert task == "dpo"
    assert isinstance(config, DpoConfig)
    assert (config.beta, config.max_prompt_length) == (0.2, 300)
    assert config.template == "firefly:qwen"
    assert settings(task_type="dpo", max_seq_length=1024)["max_prompt_length"] == 512


def test_a_prompt_length_that_leaves_no_room_is_lowered_with_a_notice() -> None:
    assert settings(task_type="dpo")["max_prompt_length"] == 63
    assert "63 is taken" in notices(task_type="dpo")


def test_pretraining_has_no_template() -> None:
    values = {**LEAST, "task_type": "pretrain", "template_name": "qwen"}
    found = translate(values, "args.json")
    assert found.task == "pretrain"
    assert "template" not in found.settings
    assert "template_name" in found.notices[-1]


@pytest.mark.parametrize(
    ("changes", "warmup"),
    [
        ({"warmup_ratio": 0.01, "lr_scheduler_type": "cosine"}, 0.01),
        ({"warmup_ratio": 0.01, "warmup_steps": 30}, 30),
        ({"warmup_steps": 0.1}, 0.1),
        ({"warmup_steps": 30, "lr_scheduler_type": "constant"}, 0),
    ],
)
def test_warm_up_is_as_in_transformers(changes: dict[str, Any], warmup: float) -> None:
    assert settings(**changes)["warmup"] == warmup


@pytest.mark.parametrize(
    ("name", "ours", "told"),
    [
        ("adamw_hf", "adamw", True),
        ("paged_adamw_32bit", "adamw", True),
        ("paged_adamw_8bit", "adamw8bit", True),
        ("adamw_torch", "adamw", False),
    ],
)
def test_optimizers_that_are_gone_are_translated_with_a_notice(
    name: str, ours: str, told: bool
) -> None:
    assert settings(optim=name)["optimizer"] == ours
    assert (f"optim={name} is optimizer={ours}" in notices(optim=name)) == told


def test_half_precision_is_told_to_be_another() -> None:
    assert settings(bf16=False, fp16=True)["precision"] == "auto"
    assert "fp16 is trained in bf16" in notices(bf16=False, fp16=True)
    assert settings()["precision"] == "bf16"
    assert "fp16" not in notices()


@pytest.mark.parametrize(("fp16", "seen"), [(True, "both are"), (False, "neither is")])
def test_exactly_one_precision_must_be_given(fp16: bool, seen: str) -> None:
    with pytest.raises(ConfigError, match=rf"args\.json: exactly one of fp16 and bf16 .* {seen}"):
        settings(fp16=fp16, bf16=fp16)


def test_evaluation_by_its_old_name_is_translated_with_a_notice() -> None:
    changes = {"evaluation_strategy": "steps", "eval_steps": 20, "eval_file": "held.jsonl"}
    assert settings(**changes)["eval_every"] == 20
    assert settings(**changes)["eval_data"] == "held.jsonl"
    assert "eval_strategy" in notices(**changes)


def test_keys_without_effect_are_told_in_one_notice() -> None:
    told = [
        line
        for line in notices(logging_steps=1, disable_tqdm=False, deepspeed="z3.json").splitlines()
        if line.startswith("without effect here")
    ]
    assert told == [
        "without effect here: logging_steps (every step is logged), disable_tqdm (progress is "
        "shown where there is a terminal), deepspeed (one GPU holds the run)"
    ]


def test_keys_of_another_task_or_mode_are_told() -> None:
    assert notices(lora_rank=8, beta=0.2).splitlines()[-1] == (
        "without effect here: beta, lora_rank"
    )
    assert "without effect" not in notices(train_mode="lora", lora_rank=8)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_no_checkpoints_is_none_as_in_transformers(limit: int) -> None:
    found = translate({**LEAST, "save_total_limit": limit}, "args.json")
    assert "keep" not in found.settings
    assert "the last checkpoint is kept" in notices(save_total_limit=limit)


def test_every_known_key_is_read_or_told() -> None:
    """A key that is neither would be passed over in silence."""
    for key in {*OWN, *MEANT} - set(LEAST) - {"fp16"}:
        kind = OWN.get(key) or MEANT[key]
        sample: Any = {"text": "x", "true or false": True, "anything": "comet"}.get(kind, 7)
        changes: dict[str, Any] = {"task_type": "dpo", "eval_file": "e", "train_mode": "lora"}
        changes |= {"eval_strategy": "steps", "save_total_limit": 3}
        before = translate({**LEAST, **changes}, "args.json")
        try:
            after = translate({**LEAST, **changes, key: sample}, "args.json")
        except ConfigError:
            continue  # its value is looked at
        assert after != before, key
    assert all(key in notices(**{key: "x"}) for key in set(WITHOUT_EFFECT) - set(OWN))


def test_trackers_that_are_not_installed_are_told_and_do_not_stop_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "luciola.compat.firefly.recording.find_spec"
    monkeypatch.setattr(name, lambda package: package == "wandb")
    assert settings(report_to="tensorboard")["track"] == []
    assert "report_to=tensorboard" in notices(report_to="tensorboard")
    assert settings(report_to=["wandb"])["track"] == ["wandb"]
    assert "report_to" not in notices(report_to="none")


@pytest.mark.parametrize(
    ("changes", "message", "remedy"),
    [
        ({"learning_rat": 1}, "unknown setting 'learning_rat'", "Did you mean learning_rate?"),
        ({"colour": 0.1}, "unknown setting 'colour'", "Neither Firefly nor we"),
        ({"label_smoothing_factor": 0.1}, "=0.1 would change the result", "Take it out"),
        ({"adam_epsilon": 1e-6}, "adam_epsilon=1e-06 would change the result", "Take it out"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'", ""),
        ({"seed": True}, "seed must be a whole number, got True", ""),
        ({"lora_rank": 1.5}, "lora_rank must be a whole number", ""),
        ({"bf16": "yes"}, "bf16 must be true or false", ""),
        ({"template_name": "qwne"}, "template_name='qwne'", "Did you mean qwen?"),
        ({"task_type": "stf"}, "task_type='stf'", "Did you mean sft?"),
        ({"train_mode": "dora"}, "train_mode='dora'", "full, lora, qlora"),
        ({"optim": "sgd"}, "optim='sgd'", "adamw_torch"),
        ({"lr_scheduler_type": "polynomial"}, "lr_scheduler_type='polynomial'", "cosine"),
        ({"train_file": None}, "train_file is missing", ""),
    ],
)
def test_mistakes_name_the_file_the_key_and_what_was_meant(
    changes: dict[str, Any], message: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**changes)
    assert caught.value.message.startswith("args.json: ")
    assert message in caught.value.message
    assert remedy in (caught.value.remedy or "")


def test_what_changes_nothing_is_taken_though_a_recipe_lacks_it() -> None:
    """The defaults of transformers, which a dumped file holds."""
    written_out = {"label_smoothing_factor": 0.0, "adam_epsilon": "1e-8", "optim_args": None}
    assert settings(**written_out, lr_scheduler_kwargs={}) == settings()


def test_numbers_may_be_written_as_text_and_older_names_of_templates_are_known() -> None:
    assert settings(learning_rate="1e-5")["lr"] == 1e-5
    assert settings(template_name="cpm3")["template"] == "firefly:minicpm3"


def test_settings_on_the_command_line_count_for_more(tmp_path: Path) -> None:
    _, config = recipe(written(tmp_path, **LORA), ["lr=1e-3", "lora.r=8"])
    assert (config.lr, config.lora.r, config.lora.alpha) == (1e-3, 8, 16)


def test_what_was_translated_is_said_once_per_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, **LORA)
    with caplog.at_level(logging.INFO):
        recipe(path)
        said = [record.getMessage() for record in caplog.records]
        monkeypatch.setenv("RANK", "1")
        recipe(path)
    assert said == [record.getMessage() for record in caplog.records]
    assert "task_type=sft" in said[0] and len(said) == 4


def test_only_train_args_files_are_taken_for_such(tmp_path: Path) -> None:
    assert is_train_args(written(tmp_path, **LEAST))
    assert not is_train_args(written(tmp_path, model="m", data="d"))
    assert not is_train_args(tmp_path / "missing.json")
    (tmp_path / "recipe.yaml").write_text("model_name_or_path: m")
    assert not is_train_args(tmp_path / "recipe.yaml")
    (tmp_path / "broken.json").write_text('{"data": ')
    assert not is_train_args(tmp_path / "broken.json")


def test_a_file_that_is_no_json_is_told_with_the_line(tmp_path: Path) -> None:
    """As a recipe in YAML the comma would be allowed, and the first key unknown."""
    path = tmp_path / "args.json"
    path.write_text('{"output_dir": "x",\n "train_file": "y",\n}\n')
    assert is_train_args(path)
    with pytest.raises(ConfigError, match=r"args\.json, line [23]: not JSON"):
        recipe(path)


def test_no_key_is_in_two_tables() -> None:
    """But those of Firefly's own that change nothing."""
    assert not set(OWN) & set(MEANT)
    assert not set(MEANT) & set(WITHOUT_EFFECT)
    assert len({*MEANT, *WITHOUT_EFFECT, *LACKING}) == len([*MEANT, *WITHOUT_EFFECT, *LACKING])
    assert set(KNOWN) == {*OWN, *MEANT, *WITHOUT_EFFECT, *LACKING}


def test_every_setting_of_transformers_is_known() -> None:
    """Translated, without effect for a reason that is told, or refused: none is unknown."""
    from dataclasses import fields

    from transformers import TrainingArguments

    from luciola.compat.firefly.keys import KNOWN, WITHOUT_EFFECT

    assert {field.name for field in fields(TrainingArguments)} <= set(KNOWN)
    assert all(WITHOUT_EFFECT.values())
