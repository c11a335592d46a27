"""The command line as a user meets it: help at once, every mistake in one clear last sentence."""

from __future__ import annotations

import errno
import logging
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from luciola.cli import errors
from luciola.cli.main import VERBS, main
from luciola.cli.settings import split_words
from luciola.cli.train import COMMON
from luciola.config.ilql import IlqlConfig
from luciola.config.online import PpoConfig
from luciola.config.preference import DpoConfig, RewardConfig
from luciola.config.settings import describe
from luciola.config.sft import SftConfig
from luciola.errors import ConfigError, DataError, LuciolaError, TrainingError

COMMAND = [sys.executable, "-c", "import sys; from luciola.cli.main import main; sys.exit(main())"]


@pytest.fixture(autouse=True)
def _no_debugging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LUCIOLA_DEBUG", raising=False)


def luciola(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True)


def last_words(capsys: pytest.CaptureFixture[str], *words: str, status: int = 2) -> str:
    assert main(words) == status
    return capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["train", "sft", "--help"]])
def test_help_appears_at_once(words: list[str]) -> None:
    """0.3 s on a quiet machine; the best of five, and twice that, as tests share the processor."""
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        result = luciola(*words)
        seconds.append(time.perf_counter() - began)
        assert result.returncode == 0
        assert result.stdout.startswith("Usage: luciola")
    assert min(seconds) < 0.6


def test_help_loads_only_the_command_line() -> None:
    """Every further module costs a start of the program something."""
    code = (
        "import sys; from luciola.cli.main import main; main(['--help']);"
        "print(sorted(n for n in sys.modules if n.split('.')[0] == 'luciola'));"
        "print('hashlib' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.splitlines()[-2:] == [
        "['luciola', 'luciola.cli', 'luciola.cli.errors', 'luciola.cli.main', "
        "'luciola.cli.terminal', 'luciola.errors']",
        "False",
    ], result.stderr


def test_help_and_recipes_load_no_heavy_package() -> None:
    code = (
        "import sys; from luciola.cli.main import main; main(['--help']);"
        "main(['train', 'sft', '--help']); main(['train', 'sft', 'model=m', 'dataa=x']);"
        "print([n for n in ('torch', 'transformers', 'sqlalchemy') if n in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


def test_help_lists_the_verbs_whose_file_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert VERBS["train"] in listed
    assert VERBS["doctor"].partition(",")[0] in listed
    folder = Path(errors.__file__).parent
    for verb in VERBS:
        assert (f"\n  {verb} " in listed) == (folder / f"{verb}.py").exists(), verb


def test_no_words_at_all_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out
    assert main(["train"]) == 0
    assert "sft" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["sft", "reward", "dpo", "ilql", "ppo", "a2c", "grpo", "rloo"])
def test_help_of_training_is_a_page_and_says_where_the_rest_is(
    method: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Required settings are on it whatever they are; at 80 columns no line is longer."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["train", method, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 55
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("  model=… ") for line in lines)
    assert any(line.startswith("  lr=") for line in lines)
    assert lines[-1] == f"All settings: luciola train {method} --help-all"


def test_all_help_of_training_names_every_setting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["train", "sft", "--help-all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 96
    assert max(map(len, lines)) <= 100
    for setting in describe(SftConfig):
        assert any(line.startswith(f"  {setting.name}=") for line in lines), setting.name


def test_the_settings_that_help_lists_exist() -> None:
    recipes = (SftConfig, RewardConfig, DpoConfig, IlqlConfig, PpoConfig)
    known = {setting.name for recipe in recipes for setting in describe(recipe)}
    assert set(COMMON) <= known


@pytest.mark.parametrize("words", ["", "train", "data", "models", "sql"])
def test_no_line_of_help_is_cut_off(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.split(), "--help"]) == 0
    commands = capsys.readouterr().out.partition("Commands:")[2]
    assert commands
    assert "..." not in commands


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("luciola 0.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "train sft --learning_rat 3e-4",
            "luciola train sft: there is no flag --learning_rat\n"
            "  → Did you mean lr? Settings are written lr=…, without dashes.",
        ),
        (
            "train sft --lr=3e-4",
            "luciola train sft: there is no flag --lr\n"
            "  → Did you mean lr? Settings are written lr=…, without dashes.",
        ),
        (
            "train sft --zzz",
            "luciola train sft: there is no flag --zzz\n"
            "  → Settings are written lr=3e-4, without dashes.",
        ),
        (
            "train sft --dry",
            "luciola train sft: there is no flag --dry\n  → Did you mean --dry-run?",
        ),
        (
            "train sft --freshh",
            "luciola train sft: there is no flag --freshh\n  → Did you mean --fresh?",
        ),
        (
            "train sft lerning_rate=1",
            "command line: unknown setting 'lerning_rate'\n  → Did you mean lr?",
        ),
        ("trian", "there is no command 'trian'\n  → Did you mean train?"),
        ("xyz", "there is no command 'xyz'\n  → luciola --help lists them."),
        ("train stf", "luciola train: there is no command 'stf'\n  → Did you mean sft?"),
        ("--versio", "luciola: there is no flag --versio\n  → Did you mean --version?"),
        (
            "train sft data",
            "'data' is neither a setting nor a recipe\n"
            "  → Settings are written lr=3e-4; a recipe ends in .yaml.",
        ),
        ("train sft no.yaml", "no.yaml: there is no such recipe"),
    ],
)
def test_a_mistyped_command_ends_in_one_sentence(
    words: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    assert last_words(capsys, *words.split()) == f"error: {said}\n"


def test_a_recipe_is_told_from_settings(tmp_path: Path) -> None:
    named = tmp_path / "a=b.yaml"
    named.write_text("lr: 1")
    assert split_words(["r.yaml", "lr=1"]) == (Path("r.yaml"), ["lr=1"])
    assert split_words([str(named)]) == (named, [])
    with pytest.raises(ConfigError, match=r"two recipes are given: a.yaml and b.yaml"):
        split_words(["a.yaml", "b.yaml"])


def ending(error: BaseException, *, debug: bool = False) -> int:
    def fail() -> int:
        raise error

    return errors.run_clearly(fail, debug=debug)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            TrainingError("the loss is NaN", remedy="Lower lr."),
            1,
            "error: the loss is NaN\n  → Lower lr.\n",
        ),
        (ConfigError("bad"), 2, "error: bad\n"),
        (DataError("no JSON", path="a.jsonl", line=3), 1, "error: a.jsonl:3: no JSON\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
    ],
)
def test_errors_end_in_a_sentence_and_a_status(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error) == status
    assert capsys.readouterr().err == said


def test_running_out_of_memory_or_disk_is_said_clearly(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(MemoryError()) == 1
    assert capsys.readouterr().err.startswith("error: out of memory\n  → A smaller micro_tokens")
    torch_says = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...\nmore"
    assert ending(RuntimeError(torch_says)) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: out of memory\n  → ([enforce fail] DefaultCPUAllocator: can't")
    assert len(said.splitlines()) == 2
    assert ending(OSError(errno.ENOSPC, "No space left", "runs/x/model")) == 1
    assert capsys.readouterr().err.startswith(
        "error: the disk is full while writing runs/x/model\n  → Free"
    )


def test_our_own_bugs_keep_their_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        ending(ZeroDivisionError())
    with pytest.raises(FileNotFoundError):
        ending(FileNotFoundError("weights"))


def test_debug_shows_the_trace_before_the_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(LuciolaError("bad"), debug=True) == 1
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last):\n")
    assert said.endswith("\nerror: bad\n")
    assert "Traceback" in last_words(capsys, "train", "sft", "--debug", "lr")


def test_debug_is_also_set_by_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUCIOLA_DEBUG", "1")
    assert "Traceback" in last_words(capsys, "train", "sft", "lr")
    monkeypatch.setenv("LUCIOLA_DEBUG", "0")
    assert "Traceback" not in last_words(capsys, "train", "sft", "lr")


def test_a_reader_who_stops_reading_is_no_error() -> None:
    script = f"{COMMAND[0]} -c '{COMMAND[2]}' train sft --help | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert result.stderr == ""
    assert result.stdout.strip() in ("1", "0")  # 0 where all was written before the reader left


def test_notices_of_the_library_reach_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    logging.getLogger("luciola.data").info("3 rows were cut")
    assert capsys.readouterr().err == "3 rows were cut\n"


def test_statistics_stay_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    main(["--version"])
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


@pytest.mark.parametrize(("rank", "said"), [("0", "saved\n  → again\n"), ("1", "")])
def test_an_interrupted_run_ends_in_how_to_go_on(
    rank: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told once, by the main process, and no "interrupted" after it; the status is Ctrl-C's."""
    from luciola.cli import train

    result = SimpleNamespace(text="saved\n  → again", ending="interrupted")
    monkeypatch.setenv("RANK", rank)
    assert errors.run_clearly(lambda: train.tell(result) or 0, debug=False) == 130  # type: ignore[arg-type, func-returns-value]
    assert capsys.readouterr() == (said, "")


def test_training_gets_the_recipe_and_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    fake = type(sys)("luciola.methods.sft")

    def run(config: SftConfig, *, dry_run: bool, fresh: bool) -> SimpleNamespace:
        seen.extend([config.lr, dry_run, fresh])
        return SimpleNamespace(text="trained", ending="finished")

    fake.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "luciola.methods.sft", fake)
    Path("d").touch()
    assert main(["train", "sft", "model=m", "data=d", "lr=2e-4", "--dry-run", "--fresh"]) == 0
    assert seen == [0.0002, True, True]
