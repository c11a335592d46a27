"""Plans of recipes: every method, what fits, what the errors say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from luciola.cli.main import main
from luciola.config.sft import DataSource, SftConfig
from luciola.errors import TrainingError
from luciola.memory.cards import CUDA_BYTES, Card
from luciola.memory.simulation import Load
from luciola.methods.capacity import _fitting, micro_tokens
from luciola.methods.measuring import measure_step
from luciola.methods.planning import Planner
from luciola.methods.preparation import default_micro_tokens
from luciola.methods.remedies import too_large
from luciola.models.attention import NAME, register
from luciola.models.load import load_model
from luciola.training.loop import Loop
from luciola.training.step import MicroBatchTooLargeError
from luciola.training.world import World
from support import write_chats, write_model


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(write_model(tmp_path / "model"))


def recipe(folder: str, **settings: Any) -> SftConfig:
    """Fine-tuning in full, in float32."""
    settings = {"adapter": "full", "precision": "fp32", "max_length": 64, **settings}
    return SftConfig(model=folder, data=(DataSource("none"),), **settings)


@pytest.mark.parametrize("method", ["reward", "ilql", "ppo", "grpo"])
def test_every_method_has_a_plan(
    method: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Followed operator by operator, not by the rule of thumb."""
    words = [f"model={folder}", "max_length=128", "--method", method]
    assert main(["plan", *words]) == 0
    said = capsys.readouterr().out
    assert f"memory of {method} of {folder}, lora, bf16, micro_tokens=" in said
    assert "rule of thumb" not in said
    assert "--card 24GB" in said
    assert ("KV cache" in said or "rollouts" in said) == (method in ("ppo", "grpo"))


def test_the_method_follows_from_the_recipe(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("dpo.yaml").write_text(f"model: {folder}\nmax_length: 64\n")
    for words, method in (
        (["dpo.yaml"], "dpo"),
        ([f"model={folder}", "prompts=p.jsonl", "reward=length:9"], "ppo"),
        ([f"model={folder}"], "sft"),
    ):
        assert main(["plan", *words, "max_length=128"]) == 0
        assert capsys.readouterr().out.startswith(f"memory of {method} of")


@pytest.mark.parametrize(("task", "method"), [("sft", "sft"), ("pretrain", "sft"), ("dpo", "dpo")])
def test_a_train_args_file_of_firefly_has_a_plan(
    task: str, method: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = {
        "model_name_or_path": folder, "train_file": "rows.jsonl", "output_dir": "out",
        "max_seq_length": 64, "task_type": task, "train_mode": "lora", "bf16": True,
    }  # fmt: skip
    Path("args.json").write_text(json.dumps(args))
    assert main(["plan", "args.json", "--card", "24GB"]) == 0
    assert f"memory of {method} of {folder}, lora, bf16" in capsys.readouterr().out
    assert main(["plan", "args.json", "--method", "ppo"]) == 2
    assert f"task_type is {task}, which is not --method ppo" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "pp"], "there is no method 'pp'"),
        (["--card", "h10"], "Did you mean h100?"),
        (["lr=fast"], "lr"),
        (["model=nowhere/at/all"], "nowhere/at/all"),
    ],
)
def test_mistakes_are_told_before_anything_is_planned(
    words: list[str], said: str, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", f"model={folder}", *words]) in (1, 2)
    assert said in capsys.readouterr().err


def test_what_lasts_is_measured_on_a_cpu(folder: str) -> None:
    config = recipe(folder)
    planner = Planner(config)

    def build() -> Any:
        return load_model(folder, attention=register() or NAME)

    seen = measure_step(config, build, Load(64, 64), autocast=False)
    parts = planner.forecast(64, accumulates=True).lasting
    for part in ("weights", "optimizer", "gradients"):
        assert parts[part] == pytest.approx(seen[part], rel=0.2)  # blocks of 512, tiny tensors


Calls = list[tuple[Any, ...]]


@pytest.fixture
def few_bits(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Every call of the loader in few bits, which gives the whole model, as there is no GPU."""
    from luciola.methods import plan_text, preparation

    calls: Calls = []

    def load_quantised(model: str, *words: Any, **options: Any) -> Any:
        calls.append((model, *words, *sorted(options.items())))
        attention = options["attention"]
        return load_model(model, dtype=options["compute"], attention=attention)

    monkeypatch.setattr(preparation, "load_quantised", load_quantised)
    monkeypatch.setattr(plan_text, "check_machine", lambda _: None)
    return calls


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_base_in_few_bits_is_measured_as_the_run_loads_it(
    precision: str, folder: str, few_bits: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    """The very call that fine-tuning with the same recipe makes; in 16 bits it makes none."""
    from luciola.config.load import from_mapping
    from luciola.methods.preparation import load_trainable

    settings = {"model": folder, "adapter": "qlora", "precision": precision, "max_length": 64}
    words = [f"{key}={value}" for key, value in settings.items()]
    assert main(["plan", *words, "--measure"]) == 0
    assert "measured" in capsys.readouterr().out
    measured = few_bits.copy()
    load_trainable(
        from_mapping(SftConfig, {**settings, "data": "none", "device": "cpu"}),
        World("cpu"),
        shared_prefixes=False,
    )
    assert measured == few_bits[1:]
    assert measured[0][:3] == (folder, "nf4", torch.device("cpu"))

    assert main(["plan", *words, "adapter=lora", "--measure"]) == 0
    assert len(few_bits) == 2


def test_few_bits_are_not_measured_without_a_gpu(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told at once, not after the forecast."""
    assert main(["plan", f"model={folder}", "adapter=qlora", "--measure"]) == 2
    assert "adapter=qlora needs a CUDA GPU" in capsys.readouterr().err


def test_the_largest_micro_batch_that_fits_is_found(folder: str) -> None:
    """It fits, and a tenth more does not; without room for one example there is none."""
    planner = Planner(recipe(folder, batch=64))
    need = planner.forecast(1000).peak
    card = Card("made", int((need + CUDA_BYTES) / 0.96) + 1)
    found = planner.largest_fitting(card)
    assert found is not None
    assert planner.forecast(found).fits(card)
    assert not planner.forecast(int(found * 1.1)).fits(card)
    assert planner.largest_fitting(Card("tiny", CUDA_BYTES + (1 << 20))) is None


@pytest.mark.parametrize("adapter", ["houlsby", "freeze", "qlora"])
def test_adapters_are_followed_too(adapter: str, folder: str) -> None:
    forecast = Planner(recipe(folder, adapter=adapter)).forecast(64)
    assert not forecast.note
    assert forecast.lasting["adapters"] > 0


def test_a_step_that_cannot_be_followed_is_told_by_a_rule_of_thumb(folder: str) -> None:
    """Virtual tokens need padded rows; float32 logits are 3 · 64 · 97 numbers."""
    forecast = Planner(recipe(folder, adapter="prompt")).forecast(64)
    assert "rule of thumb" in forecast.note
    assert forecast.phases["update"]["logits and loss"] == 12 * 64 * 97


def test_no_more_than_a_step_is_asked_for(folder: str) -> None:
    """Two examples of 64 tokens: 128, however large the card."""
    assert Planner(recipe(folder, batch=2)).largest_fitting(Card("huge", 1 << 40)) == 128


def test_checkpointing_halves_what_two_layers_keep(folder: str) -> None:
    """Of two layers one is computed again at a time: two thirds of the peak, and no more."""
    plain, less = (
        Planner(recipe(folder, checkpointing=wanted)).forecast(2000).peak
        for wanted in (False, True)
    )
    assert plain / 2 < less < 2 * plain / 3


def test_a_cpu_keeps_the_usual_size(folder: str) -> None:
    world = World("cpu")
    assert micro_tokens(recipe(folder), world) == default_micro_tokens(torch.device("cpu"))
    assert micro_tokens(recipe(folder, micro_tokens=7), world) == 7


def test_a_gpu_takes_what_fits_it(folder: str) -> None:
    """Half of the tokens trained need less than all; without room for one example it is tried."""
    config = recipe(folder, batch=64)
    need = Planner(config).forecast(1000).peak
    card = Card("made", int((need + CUDA_BYTES) / 0.96) + 1)
    assert 64 <= _fitting(config, 1.0, card) < _fitting(config, 0.5, card)
    assert _fitting(config, 1.0, Card("tiny", CUDA_BYTES)) == 64
    assert _fitting(replace(config, model=f"{folder}/gone"), 1.0, card) == 16_384


def test_the_error_names_the_largest_parts_and_the_cheapest_remedy(folder: str) -> None:
    error = too_large(recipe(folder), "CUDA out of memory. Tried 2 GiB.\nmore", None)
    assert "the largest parts are" in str(error)
    assert "(CUDA out of memory. Tried 2 GiB.)" in str(error)
    assert "Cheapest first: checkpointing=true (-" in str(error)


def test_a_run_that_cannot_fit_ends_with_that_error(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import luciola

    def run(self: Loop[Any]) -> None:
        raise MicroBatchTooLargeError("CUDA out of memory.")

    monkeypatch.setattr(Loop, "run", run)
    data = str(write_chats(tmp_path / "chats.jsonl"))
    with pytest.raises(TrainingError, match="one example of up to 64 tokens"):
        luciola.sft(model=folder, data=data, max_length=64, device="cpu", precision="fp32")


def test_a_configuration_alone_can_be_planned(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No weights and no tokenizer: the memory follows from config.json."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.json").write_bytes(Path(folder, "config.json").read_bytes())
    assert main(["plan", "model=bare", "--card", "24GB"]) == 0
    bare = capsys.readouterr().out
    assert main(["plan", f"model={folder}", "--card", "24GB"]) == 0
    figures = [line for line in capsys.readouterr().out.splitlines() if "GiB" in line]
    assert [line for line in bare.splitlines() if "GiB" in line] == figures
