"""Recipes from files, from the command line, and from Python."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from luciola.config import from_mapping, load
from luciola.config.sft import DataSource, SftConfig
from luciola.config.training import LoraConfig
from luciola.errors import ConfigError

GIVEN = ("model=m", "data=chats.jsonl")


def recipe(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def complaint(*overrides: str, path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(SftConfig, path, overrides)
    return str(caught.value)


def test_defaults_give_way_to_the_file_and_the_file_to_the_command_line(tmp_path: Path) -> None:
    path = recipe(tmp_path, "model: m\ndata: d.jsonl\nlr: 1\nbatch: 4\nlora: {r: 8, alpha: 64}\n")
    config = load(SftConfig, path, ["batch=2", "lora.r=4"])
    assert (config.lr, config.batch, config.epochs) == (1.0, 2, 3.0)
    assert config.lora == LoraConfig(r=4, alpha=64.0)


def test_a_number_that_yaml_reads_as_a_string_becomes_a_number(tmp_path: Path) -> None:
    """PyYAML follows YAML 1.1, where `2e-4` without a dot is a string."""
    path = recipe(tmp_path, "model: m\ndata: d.jsonl\nlr: 2e-4\n")
    assert load(SftConfig, path).lr == 0.0002
    assert load(SftConfig, None, [*GIVEN, "lr=3e-5"]).lr == 0.00003


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("a.jsonl", [("a.jsonl", 1.0)]),
        ("a.jsonl@0.5", [("a.jsonl", 0.5)]),
        ("me@home.jsonl", [("me@home.jsonl", 1.0)]),
        ("a.jsonl@0.5,b.jsonl", [("a.jsonl", 0.5), ("b.jsonl", 1.0)]),
        ("a, b.jsonl", [("a", 1.0), ("b.jsonl", 1.0)]),
        ("[a.jsonl, b.jsonl@2]", [("a.jsonl", 1.0), ("b.jsonl", 2.0)]),
        ("{path: a.jsonl, weight: 3}", [("a.jsonl", 3.0)]),
        ("[{path: a.jsonl, weight: 1e-1}, b.jsonl]", [("a.jsonl", 0.1), ("b.jsonl", 1.0)]),
    ],
)
def test_data_is_written_as_a_path_a_list_or_mappings(
    text: str, sources: list[tuple[str, float]]
) -> None:
    wanted = tuple(DataSource(*source) for source in sources)
    assert load(SftConfig, None, ["model=m", f"data={text}"]).data == wanted


def test_a_file_whose_name_holds_a_comma_is_one_file() -> None:
    Path("a, b.jsonl").touch()
    assert load(SftConfig, None, ["model=m", "data=a, b.jsonl"]).data == (DataSource("a, b.jsonl"),)


def test_a_list_of_words_is_written_with_commas_or_brackets() -> None:
    with_commas = load(SftConfig, None, [*GIVEN, "track=tensorboard,wandb", "betas=0.9,0.95"])
    in_brackets = load(SftConfig, None, [*GIVEN, "track=[tensorboard, wandb]", "betas=[0.9, .95]"])
    assert with_commas == in_brackets
    assert with_commas.betas == (0.9, 0.95)


def test_text_on_the_command_line_is_taken_as_it_is() -> None:
    """As YAML this would be a mapping with a comment, and a number."""
    config = load(SftConfig, None, ["model=7", "data=d", "system=You are: short # really"])
    assert (config.model, config.system) == ("7", "You are: short # really")


def test_quotes_around_text_are_read_as_yaml() -> None:
    assert load(SftConfig, None, [*GIVEN, r'system="two\nlines"']).system == "two\nlines"


def test_a_tilde_means_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    config = load(SftConfig, None, ["model=~/m", "data=~/chats.jsonl@2"])
    assert config.model == "/home/ada/m"
    assert config.data == (DataSource("/home/ada/chats.jsonl", 2.0),)


def test_an_empty_value_in_a_file_is_empty_text_or_an_empty_list(tmp_path: Path) -> None:
    path = recipe(tmp_path, "model: m\ndata: d\nsystem:\ntrack:\nlora:\n")
    assert load(SftConfig, path) == load(SftConfig, None, ["model=m", "data=d"])


def test_python_values_have_the_same_shorthands() -> None:
    values = {"model": Path("m"), "data": [DataSource("a"), "b@2"], "lora": LoraConfig(r=2)}
    config = from_mapping(SftConfig, values)
    assert config.model == "m"
    assert config.data == (DataSource("a"), DataSource("b", 2.0))
    assert config.lora.r == 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("lerning_rate", "lr"),
        ("learning_rate", "lr"),
        ("learning-rate", "lr"),
        ("num_train_epochs", "epochs"),
        ("per_device_train_batch_size", "batch"),
        ("Model", "model"),
        ("wamup", "warmup"),
        ("lora_rank", "lora.r"),
        ("lora.rank", "lora.r"),
        ("lora.alpa", "lora.alpha"),
        ("rank", "lora.r"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_setting_that_was_meant(
    written: str, meant: str
) -> None:
    said = complaint(*GIVEN, f"{written}=1")
    assert said == f"command line: unknown setting {written!r}\n  → Did you mean {meant}?"


def test_a_misspelt_key_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = recipe(tmp_path, "model: m\ndata: [{path: d, wieght: 2}]\n")
    wanted = f"{path}: unknown setting 'data[0].wieght'\n  → Did you mean data[0].weight?"
    assert complaint(path=path) == wanted


def test_a_key_that_is_near_nothing_is_refused_without_a_guess() -> None:
    assert complaint(*GIVEN, "zzz=1").endswith("Add --help to the command to see every setting.")


def test_a_part_of_a_setting_without_parts_is_refused() -> None:
    said = complaint(*GIVEN, "lr.x=1")
    assert said == "command line: unknown setting 'lr.x'\n  → lr has no parts."


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("lr=fast", "lr must be a number, at least 0, got 'fast'"),
        ("lr=yes", "lr must be a number, at least 0, got 'true'"),
        ("lr=", "lr must be a number, at least 0, got nothing"),
        ("batch=2.5", "batch must be a whole number, at least 1, got 2.5"),
        ("schedule=cosin", "schedule must be cosine, linear or constant, got 'cosin'"),
        ("track=wand", "track[0] must be tensorboard, wandb or trackio, got 'wand'"),
        ("compile=perhaps", "compile must be true or false, got 'perhaps'"),
        ("betas=0.9", "betas must be 2 values, each a number, at least 0 and below 1, got [0.9]"),
        ("lora=3", "lora must be a group of settings, got 3"),
        ("data=[1]", "data[0] must be PATH or PATH@WEIGHT, got 1"),
        ("lora.targets=[q, [v]]", "lora.targets[1] must be text, got ['v']"),
        ("batch=0", "batch must be at least 1, got 0"),
        ("lr=nan", "lr must be at least 0, got nan"),
        ("lr=.inf", "lr must be at least 0, got inf"),
        ("eval_fraction=0.7", "eval_fraction must be at least 0 and at most 0.5, got 0.7"),
        ("lora.dropout=1", "lora.dropout must be at least 0 and below 1, got 1.0"),
        ("betas=0.9,2", "betas[1] must be at least 0 and below 1, got 2.0"),
        ("data=d@0", "data[0].weight must be above 0, got 0.0"),
        ("data=", "data must not be empty"),
        ("model=", "model must not be empty"),
        ("patience=2", "patience needs held-out data"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(override: str, said: str) -> None:
    first_line = complaint(*GIVEN, override).splitlines()[0]
    assert first_line == f"command line: {said}"


def test_a_wrong_value_is_blamed_on_the_source_that_gave_it(tmp_path: Path) -> None:
    path = recipe(tmp_path, "model: m\ndata: d\nbatch: 0\nlr: x\n")
    assert complaint("lr=1", path=path).startswith(f"{path}: batch must be")
    assert complaint("batch=-1", "lr=1", path=path).startswith("command line: batch must be")


def test_every_missing_setting_is_named_in_one_sentence() -> None:
    assert complaint("lr=1").startswith("command line: model and data are missing\n  → Give model=")
    assert complaint("model=m").startswith("command line: data is missing\n")


def test_a_word_that_is_no_setting_is_refused() -> None:
    assert "'lr' is not a setting" in complaint(*GIVEN, "lr")
    assert "'=3' is not a setting" in complaint(*GIVEN, "=3")


def test_a_value_that_is_no_yaml_is_refused() -> None:
    assert "lr has a value that is not valid YAML: '[1'" in complaint(*GIVEN, "lr=[1")


def test_a_missing_recipe_names_the_one_beside_it(tmp_path: Path) -> None:
    recipe(tmp_path, "model: m\n")
    said = complaint(path=tmp_path / "recipee.yaml")
    assert said.endswith(f"there is no such recipe\n  → Did you mean {tmp_path / 'recipe.yaml'}?")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; a recipe is lines of `key: value`"),
        ("- a\n- b\n", "holds a list; a recipe is"),
        ("just words", "holds only the value 'just words'; a recipe is"),
        ("model: [m\n", "is not valid YAML: line 2, column 1: "),
        ("model: 'm\n", "is not valid YAML: line "),
    ],
)
def test_a_file_that_is_no_recipe_says_why(text: str, said: str, tmp_path: Path) -> None:
    path = recipe(tmp_path, text)
    assert complaint(path=path).startswith(f"{path}: {said}")


def test_a_binary_file_is_no_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"GGUF\xff\xfe\x00")
    assert complaint(path=path).startswith(f"{path}: ")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    assert complaint(path=tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


@dataclass(frozen=True)
class Smallest:
    """A recipe without required settings."""

    word: str = "x"
    """A word."""


def test_a_recipe_class_without_required_settings_loads_from_nothing() -> None:
    assert load(Smallest, None) == Smallest()
