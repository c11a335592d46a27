"""Models that bring Python code of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from luciola.cli.main import main
from luciola.errors import ModelError
from luciola.models.load import load_model
from luciola.models.save import save_model
from luciola.rewards.building import build_reward
from support import build_tokenizer, write_chats, write_model

CLASSIFIER = """

from torch import nn
from transformers import LlamaModel, LlamaPreTrainedModel


class OwnClassifier(LlamaPreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.model = LlamaModel(config)
        self.score = nn.Linear(config.hidden_size, 1, bias=False)
        self.post_init()
"""


def code_of(folder: Path) -> str:
    return (folder / "modeling_own.py").read_text()


def test_code_is_not_run_unasked(own: Path) -> None:
    """The message names the setting that allows it."""
    with pytest.raises(ModelError, match="Python code of its own") as caught:
        load_model(own)
    assert "trust_remote_code=true" in str(caught.value)


def test_a_model_may_call_itself_what_it_likes(own: Path) -> None:
    """ChatGLM's architecture is ChatGLMModel; its auto_map says where its language model is."""
    file = own / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"architectures": ["OwnModel"]}))
    assert type(load_model(own, trust_remote_code=True)).__name__ == "OwnForCausalLM"


def test_code_goes_along_when_the_model_is_saved(own: Path, tmp_path: Path) -> None:
    """What was saved loads again, by its own file."""
    model = load_model(own, trust_remote_code=True)
    assert type(model).__name__ == "OwnForCausalLM"
    save_model(model, build_tokenizer(), tmp_path / "saved", name=str(own))
    assert code_of(tmp_path / "saved") == code_of(own)
    again = load_model(tmp_path / "saved", trust_remote_code=True)
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        torch.testing.assert_close(again(ids).logits, model(ids).logits)


def test_sharded_weights_load_and_save(tmp_path: Path) -> None:
    """A checkpoint in many files is one model, also in half precision."""
    model = load_model(write_model(tmp_path / "whole"))
    model.save_pretrained(str(tmp_path / "shards"), max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        loaded = load_model(tmp_path / "shards", dtype=dtype)
        assert loaded.dtype == dtype
        for name, weight in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], weight.to(dtype))
    save_model(loaded, build_tokenizer(), tmp_path / "again", name=str(tmp_path / "shards"))
    assert load_model(tmp_path / "again").num_parameters() == model.num_parameters()


ROW = {"prompt": "a", "chosen": "b", "rejected": "c", "output": "d", "reward": 1.0}


def words(method: str, own: Path, tmp_path: Path, *more: str) -> list[str]:
    """The command line of one step with a method."""
    keys = ("prompt", "output", "reward") if method == "ilql" else ("prompt", "chosen", "rejected")
    (tmp_path / "rows.jsonl").write_text(json.dumps({key: ROW[key] for key in keys}) + "\n")
    given = [f"data={tmp_path}/rows.jsonl"]
    if method == "sft":
        given = [f"data={write_chats(tmp_path / 'chats.jsonl', rows=2)}"]
    if method == "ppo":
        (tmp_path / "my.py").write_text("def score(answers):\n    return [0.0] * len(answers)\n")
        given = [f"prompts={tmp_path}/rows.jsonl", f"reward={tmp_path}/my.py:score"]
        given += ["rollouts=1", "batch=1", "max_new_tokens=2"]
    fixed = [f"model={own}", f"out={tmp_path}/run", "device=cpu", "precision=fp32", "max_steps=1"]
    return ["train", method, *fixed, *given, *more]


@pytest.mark.parametrize("method", ["sft", "reward", "dpo", "ilql", "ppo"])
def test_no_method_runs_code_unasked(
    method: str, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, before any run's folder is made."""
    for more in ([], ["--dry-run"]):
        assert main(words(method, own, tmp_path, *more)) == 1
        said = capsys.readouterr().err
        assert f"error: {own} brings Python code of its own, which is not run unasked" in said
        assert "set trust_remote_code=true" in said
        assert "Traceback" not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["sft", "dpo", "ilql", "ppo"])
def test_every_method_trains_such_a_model_when_asked(
    method: str, own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in (["--dry-run"], ["adapter=full"]):
        given = words(method, own, tmp_path, "trust_remote_code=true", *more)
        assert main(given) == 0, capsys.readouterr().err
    assert code_of(tmp_path / "run/model") == code_of(own)


def test_a_reward_model_needs_a_classifier_in_that_code(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = words("reward", own, tmp_path, "trust_remote_code=true", "adapter=full")
    assert main(given) == 1
    assert "no sequence classifier for OwnForCausalLM" in capsys.readouterr().err


def test_a_reward_model_trains_with_such_a_classifier_and_scores_when_asked(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = code_of(own) + CLASSIFIER
    (own / "modeling_own.py").write_text(code)
    settings = json.loads((own / "config.json").read_text())
    settings["auto_map"]["AutoModelForSequenceClassification"] = "modeling_own.OwnClassifier"
    (own / "config.json").write_text(json.dumps(settings))
    given = words("reward", own, tmp_path, "trust_remote_code=true", "adapter=full")
    assert main(given) == 0, capsys.readouterr().err
    assert code_of(tmp_path / "run/model") == code
    score = ["score", str(tmp_path / "run"), "--prompt", "a", "--answer", "b"]
    assert main(score) == 1
    assert "add --trust-remote-code" in capsys.readouterr().err
    assert main([*score, "--trust-remote-code"]) == 0
    classifier = f"classifier:{tmp_path}/run/model"
    with pytest.raises(ModelError, match="Python code of its own"):
        build_reward(classifier)
    assert len(build_reward(classifier, trust_remote_code=True).components) == 1
    plain = write_model(tmp_path / "plain")
    policy = words("ppo", plain, tmp_path, "adapter=full")
    policy = [word for word in policy if not word.startswith(("reward=", "out="))]
    policy += [f"reward=model:{tmp_path}/run", f"out={tmp_path}/ppo"]
    assert main(policy) == 1
    assert "Python code of its own" in capsys.readouterr().err
    assert main([*policy, "trust_remote_code=true"]) == 0, capsys.readouterr().err


def test_an_adapter_over_such_a_model_is_merged_with_its_code(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words("sft", own, tmp_path, "trust_remote_code=true", "lr=0.05")) == 0
    merge = ["merge", str(tmp_path / "run"), str(tmp_path / "merged"), "--dtype", "fp32"]
    assert main(merge) == 1
    assert "Python code of its own" in capsys.readouterr().err
    assert main([*merge, "--trust-remote-code"]) == 0, capsys.readouterr().err
    assert code_of(tmp_path / "merged") == code_of(own)
    model = load_model(tmp_path / "merged", trust_remote_code=True)
    assert type(model).__name__ == "OwnForCausalLM"


def test_heads_of_ilql_chat_over_such_a_model_when_asked(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words("ilql", own, tmp_path, "trust_remote_code=true", "adapter=full")) == 0
    chat = ["chat", str(tmp_path / "run"), "hi", "max_new_tokens=2", "--device", "cpu"]
    assert main(chat) == 1
    assert "Python code of its own" in capsys.readouterr().err
    assert main([*chat, "--trust-remote-code"]) == 0, capsys.readouterr().err


def test_data_are_shown_with_such_a_tokenizer_when_asked(
    spelt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show = ["data", "show", str(write_chats(tmp_path / "c.jsonl", rows=1)), f"model={spelt}"]
    assert main(show) == 1
    assert "Python code of its own" in capsys.readouterr().err
    assert main([*show, "trust_remote_code=true"]) == 0
    assert "trained" in capsys.readouterr().out


def test_the_call_of_trlx_takes_it_where_trlx_gave_it(spelt: Path, tmp_path: Path) -> None:
    import luciola.rl
    from luciola.rl import TRLConfig, default_sft_config

    settings = {
        "model.model_extra_configs": {"trust_remote_code": True},
        "train.total_steps": 1,
        "train.checkpoint_dir": f"{tmp_path}/trlx",
    }
    config = TRLConfig.update(default_sft_config(), settings)
    result = luciola.rl.train(str(spelt), samples=["a b", "c d"], config=config, show=False)
    assert code_of(result.model) == code_of(spelt)
    with pytest.raises(ModelError, match="Python code of its own"):
        luciola.rl.train(str(spelt), samples=["a b"], config=default_sft_config(), show=False)
