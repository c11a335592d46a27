"""A study from its grid to its results, with a model whose answers are written down."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from luciola.config.study import StudyConfig, StudyModel
from luciola.errors import ConfigError, LuciolaError
from luciola.specialist.study.forecast import forecast
from luciola.specialist.study.grid import Point
from luciola.specialist.study.results import Result
from luciola.specialist.study.running import report_only, run
from luciola.specialist.study.study import Study
from luciola.sql.asking.model import Answers, Progress, Sampling

StudyOf = Callable[..., StudyConfig]
FEW = {"representations": ["CR_P"], "shots": [2], "organizations": ["DAIL_O"]}


@pytest.fixture(autouse=True)
def no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take seconds, and have tests of their own."""
    monkeypatch.setattr("luciola.specialist.study.report._draw", lambda *given: set())


def results(config: StudyConfig) -> dict[str, Result]:
    return {result.point.way: result for result in Study(config).results()}


def test_every_point_is_asked_and_judged(study_of: StudyOf, scripted: Any) -> None:
    """The model knows what is asked with CREATE TABLE; `SELECT 77` is right nowhere."""
    config = study_of()
    said = run(config, scripted(lambda prompt: "CREATE" in prompt).opened, show=False)
    found = results(config)
    assert {way: result.share("ex") for way, result in found.items()} == {"TR_P": 0.0, "CR_P": 1.0}
    assert found["CR_P"].share("em") == 1.0
    assert found["TR_P"].share("valid") == 1.0
    assert found["CR_P"].by_level("ex") == {"easy": 1.0, "medium": 1.0, "hard": 1.0}
    assert "best is CR_P with EX 100.0%" in said


def test_nothing_is_asked_twice(study_of: StudyOf, scripted: Any) -> None:
    first, second = scripted(), scripted()
    run(study_of(), first.opened, show=False)
    run(study_of(), second.opened, show=False)
    assert (len(first.asked), len(second.asked)) == (12, 0)


def test_a_stopped_study_goes_on_where_it_was(study_of: StudyOf, scripted: Any) -> None:
    def knows(prompt: str) -> bool:
        if "CREATE" in prompt:
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        run(study_of(), scripted(knows).opened, show=False)
    assert list(results(study_of())) == ["TR_P"]
    again = scripted()
    run(study_of(), again.opened, show=False)
    assert all("CREATE" in prompt for prompt in again.asked)
    assert list(results(study_of())) == ["TR_P", "CR_P"]


def test_a_torn_result_is_made_anew(study_of: StudyOf, scripted: Any) -> None:
    run(study_of(), scripted().opened, show=False)
    path = Study(study_of()).path_of(Point("m", "TR_P", False, "plain"))
    path.write_text(path.read_text()[:200])
    again = scripted()
    run(study_of(), again.opened, show=False)
    assert len(again.asked) == 6


@pytest.mark.parametrize(
    ("settings", "points"),
    [
        ({"seed": 1}, 2),
        ({"max_tokens": 50}, 2),
        ({"original": True}, 2),
        ({"limit": 3}, 2),
        ({"temperature": 0.5}, 2),
        ({"vote_temperature": 0.5}, 0),
        ({"timeout": 30.0}, 2),
        ({"timeout": 5.0, "workers": 1}, 0),
        ({"models": [{"model": "m", "url": "http://localhost:1/v1", "context": 900}]}, 2),
        ({"similarity": "minilm"}, 0),
        ({"models": [{"model": "m", "url": "http://localhost:2/v1"}]}, 2),
        ({"models": [{"model": "m", "url": "http://localhost:1/v1", "name": "other"}]}, 0),
        ({"models": [{"model": "m", "url": "http://localhost:1/v1", "raw": False}]}, 0),
        ({"grids": [{"representations": ["TR_P", "AS_P"]}]}, 1),
    ],
)
def test_only_what_decides_a_result_makes_it_new(
    study_of: StudyOf, scripted: Any, settings: dict[str, Any], points: int
) -> None:
    """Without examples, how they are compared decides nothing; nor does a model's name."""
    run(study_of(), scripted().opened, show=False)
    assert len(Study(study_of(**settings)).unfinished()) == points


def test_what_decides_examples_and_votes_makes_their_results_new(
    study_of: StudyOf, scripted: Any
) -> None:
    """DAIL_S with two votes, and MQS_S before it, or the same without examples."""
    grids = [{**FEW, "votes": [2]}]
    run(study_of(grids=grids), scripted().opened, show=False)
    changes: list[tuple[dict[str, Any], int]] = [
        ({}, 0),
        ({"similarity": "minilm"}, 2),
        ({"threshold": 0.5}, 2),
        ({"cross_domain": True}, 2),
        ({"first_answers": "ZERO_SHOT"}, 2),
        ({"vote_temperature": 0.5}, 2),
        ({"temperature": 0.5}, 0),
    ]
    for settings, points in changes:
        left = Study(study_of(grids=grids, **settings)).unfinished()
        assert len(left) == points, settings


def test_a_changed_database_is_asked_anew(study_of: StudyOf, scripted: Any, zoo: Path) -> None:
    run(study_of(), scripted().opened, show=False)
    file = zoo / "database" / "zoo" / "zoo.sqlite"
    file.write_bytes(file.read_bytes() + b"\0" * 4096)
    assert len(Study(study_of()).unfinished()) == 2


def test_what_tables_json_says_decides_results(study_of: StudyOf, scripted: Any, zoo: Path) -> None:
    run(study_of(), scripted().opened, show=False)
    file = zoo / "tables.json"
    file.write_text(file.read_text() + "\n")  # the same content
    assert Study(study_of()).unfinished() == []
    (entry,) = json.loads(file.read_text())
    entry["column_names"][1][1] = "something else"
    file.write_text(json.dumps([entry]))
    assert len(Study(study_of()).unfinished()) == 2


def test_a_database_of_examples_alone_decides_the_points_that_show_some(
    study_of: StudyOf, scripted: Any, zoo: Path
) -> None:
    """Only the point with examples is asked anew, and MQS_S before it, not the zero-shot ones."""
    bar = zoo / "database" / "bar" / "bar.sqlite"
    bar.parent.mkdir()
    shutil.copy(zoo / "database" / "zoo" / "zoo.sqlite", bar)
    with (zoo / "pool.jsonl").open("a") as pool:
        row = {"db_id": "bar", "question": "How many?", "query": "SELECT count(*) FROM animal"}
        pool.write(json.dumps(row) + "\n")
    grids = [{"representations": ["CR_P"]}, {**FEW, "selections": ["QTS_S"]}]
    run(study_of(grids=grids), scripted().opened, show=False)
    bar.write_bytes(bar.read_bytes() + b"\0" * 4096)
    assert [point.shots for point in Study(study_of(grids=grids)).unfinished()] == [2]


def test_results_of_an_earlier_version_are_told_of_and_made_anew(
    study_of: StudyOf, scripted: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(study_of(), scripted().opened, show=False)
    for path in Path(study_of().out, "points").iterdir():
        row = json.loads(path.read_text())
        del row["version"]  # as version 1 wrote it, under a key of its own
        path.with_name(f"old-{path.name}").write_text(json.dumps(row))
        path.unlink()
    assert Study(study_of()).outdated() == 2
    with pytest.raises(ConfigError) as caught:
        report_only(study_of())
    assert "2 results are of an earlier version and will be made anew" in str(caught.value.remedy)
    run(study_of(), scripted().opened, show=True)
    assert "2 results are of an earlier version" in capsys.readouterr().err
    assert Study(study_of()).unfinished() == []


def test_cut_answers_and_thoughts_are_counted_for_each_point(
    study_of: StudyOf, scripted: Any
) -> None:
    class Thinking(scripted):  # type: ignore[misc]
        def answer(self, prompts: Any, sampling: Any, progress: Any = None) -> list[Answers]:
            found = super().answer(prompts, sampling, progress)
            thinks = replace(found[0], texts=("<think>\nSELECT",), cut=(0,))
            return [thinks, replace(found[1], cut=(0,)), *found[2:]]

    run(study_of(), Thinking().opened, show=False)
    found = Study(study_of()).results()
    assert [(each.cut, each.thoughts, each.failed) for each in found] == [(2, 1, 0)] * 2
    report = Path(study_of().out, "report.md").read_text()
    assert "4 questions have an answer that was cut off after 200 tokens" in report
    assert "2 questions got thoughts without an answer" in report
    assert json.loads(Path(study_of().out, "results.json").read_text())["points"][0]["cut"] == 2


def test_dail_selection_compares_with_the_models_own_first_answers(
    study_of: StudyOf, scripted: Any
) -> None:
    """A first answer that counts makes the example that counts the nearest."""
    config = study_of(grids=[{**FEW, "selections": ["DAIL_S"], "shots": [1]}])
    model = scripted()
    run(config, model.opened, show=False)
    found = results(config)
    assert list(found) == ["CR_P 1 x MQS_S DAIL_O", "CR_P 1 x DAIL_S DAIL_O"]
    assert found["CR_P 1 x DAIL_S DAIL_O"].examples == 1
    lion = [prompt for prompt in model.asked if "a lion?" in prompt]
    assert "SELECT name FROM keeper WHERE age > 33" in lion[1]


def test_a_context_that_is_too_short_shows_fewer_examples(
    study_of: StudyOf, scripted: Any, tmp_path: Path
) -> None:
    from support import build_tokenizer

    build_tokenizer().save_pretrained(tmp_path / "tokenizer")
    place = {"model": "m", "url": "http://localhost:1/v1", "tokenizer": str(tmp_path / "tokenizer")}
    grids = [{**FEW, "organizations": ["FI_O"], "selections": ["RANDOM"]}]
    for context, examples in ((10**6, 2), (650, 0)):
        config = study_of(models=[{**place, "context": context}], grids=grids, limit=1)
        run(config, scripted().opened, show=False)
        assert [result.examples for result in results(config).values()] == [examples]


def test_votes_are_drawn_and_counted(study_of: StudyOf, scripted: Any) -> None:
    config = study_of(grids=[{"representations": ["TR_P"], "votes": [1, 3]}])
    model = scripted()
    run(config, model.opened, show=False)
    assert [(s.answers, s.temperature) for s in model.samplings] == [(1, 0.0), (3, 1.0)]
    assert results(config)["TR_P 3 votes"].share("ex") == 1.0


class Silent:
    """A server that answers the first question of each point alone."""

    name = "silent"

    def answer(
        self, prompts: Sequence[str], sampling: Sampling, progress: Progress | None = None
    ) -> list[Answers]:
        first = Answers(("SELECT count(*) FROM keeper",), 10, 5)
        return [first, *(Answers((), 0, 0, error="busy") for _ in prompts[1:])]


def test_questions_without_an_answer_are_wrong_and_asked_again(
    study_of: StudyOf, scripted: Any
) -> None:
    config = study_of(grids=[{"representations": ["TR_P"]}])
    run(config, lambda model, study: Silent(), show=False)
    (found,) = results(config).values()
    assert (found.failed, found.prompt_tokens) == (5, 10)
    assert found.share("ex") == pytest.approx(1 / 6)
    assert len(Study(config).unfinished()) == 1
    run(config, scripted().opened, show=False)
    assert results(config)["TR_P"].share("ex") == 1.0


def test_costs_are_those_of_the_tokens(study_of: StudyOf, scripted: Any) -> None:
    priced = {"model": "m", "url": "http://localhost:1/v1", "answer_price": 2e6}
    config = study_of(models=[priced], grids=[{"representations": ["TR_P"]}])
    run(config, scripted().opened, show=False)
    assert results(config)["TR_P"].cost == pytest.approx(6 * 5 * 2)


def test_the_raw_model_is_stopped_where_its_sql_ends(study_of: StudyOf, scripted: Any) -> None:
    raw = {"model": "m", "url": "http://localhost:1/v1", "raw": True}
    model = scripted()
    run(study_of(models=[raw]), model.opened, show=False)
    assert model.samplings[0].stop == (";", "\n\n", "/*")


def test_the_forecast_asks_nothing(study_of: StudyOf, scripted: Any) -> None:
    priced = {"model": "m", "url": "http://localhost:1/v1", "answer_price": 1.0}
    config = study_of(models=[priced], grids=[{**FEW, "shots": [0, 2]}], max_tokens=100)
    text = forecast(config)
    assert "3 points, 1 of them for the first answers of others; 6 questions" in text
    assert "m CR_P 2 x DAIL_S DAIL_O" in text
    assert text.count("about ") == 3
    assert "left: 3 points" in text
    assert not Path(config.out).exists()
    run(config, scripted().opened, show=False)
    assert forecast(config).count("  done") == 3


def test_the_report_has_every_point_and_comparison(study_of: StudyOf, scripted: Any) -> None:
    config = study_of(grids=[{"representations": ["TR_P"], "foreign_keys": ["with", "without"]}])
    run(config, scripted(lambda prompt: "foreign keys" in prompt).opened, show=False)
    whole = json.loads(Path(config.out, "results.json").read_text())
    assert [point["way"] for point in whole["points"]] == ["TR_P+FK", "TR_P"]
    (found,) = whole["comparisons"]
    assert (found["what"], found["ex"]["gained"], found["ex"]["p"]) == ("foreign keys", 6, 2 / 64)
    with Path(config.out, "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["representation"], row["ex"]) for row in rows] == [
        ("TR_P", "1.0"),
        ("TR_P", "0.0"),
    ]
    text = Path(config.out, "report.md").read_text()
    assert "| m | TR_P+FK | TR_P | +100.0 |" in text


def test_the_report_can_be_written_anew(study_of: StudyOf, scripted: Any) -> None:
    run(study_of(), scripted().opened, show=False)
    page = Path(study_of().out, "report.html")
    page.unlink()
    assert "2 of 2 points" in report_only(study_of())
    assert page.is_file()
    with pytest.raises(ConfigError, match="no results of this grid"):
        report_only(study_of(seed=5))


def test_a_key_in_an_address_is_not_kept_in_the_study(study_of: StudyOf, scripted: Any) -> None:
    models = [{"model": "m", "url": "http://localhost:1/v1?api_key=sk-verysecret"}]
    run(study_of(models=models), scripted().opened, show=False)
    files = [path for path in Path(study_of().out).rglob("*") if path.is_file()]
    assert any(path.name == "grid.yaml" for path in files)
    assert not [path for path in files if b"verysecret" in path.read_bytes()]


def test_a_folder_with_something_else_is_left_alone(study_of: StudyOf, scripted: Any) -> None:
    config = study_of()
    Path(config.out).mkdir()
    Path(config.out, "thesis.txt").write_text("precious")
    with pytest.raises(ConfigError, match="something other than a study"):
        run(config, scripted().opened, show=False)


def test_a_study_begins_where_a_dry_run_left_vectors(study_of: StudyOf, scripted: Any) -> None:
    config = study_of()
    Path(config.out, "embeddings").mkdir(parents=True)
    Path(config.out, ".lock").touch()
    assert "2 of 2 points" in run(config, scripted().opened, show=False)


def test_a_moved_model_and_database_find_their_results(study_of: StudyOf, tmp_path: Path) -> None:
    """Also where a copy made the files younger; further training changes the address."""
    from support import write_model

    first = write_model(tmp_path / "first")
    second = tmp_path / "elsewhere" / "second"
    shutil.copytree(first, second)
    shutil.copytree(tmp_path / "zoo", tmp_path / "moved", copy_function=shutil.copyfile)
    point = Point("m", "TR_P", False, "plain")

    def address(folder: Path, databases: str) -> str:
        place = {"model": str(folder), "name": "m"}
        config = study_of(models=[place], databases=str(tmp_path / databases / "database"))
        return Study(config).path_of(point).name

    was = address(first, "zoo")
    assert address(second, "moved") == was
    (second / "README.md").write_text("moved")
    assert address(second, "zoo") == was
    weights = second / "model.safetensors"
    held = weights.read_bytes()
    weights.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    assert address(second, "zoo") != was


def test_a_report_needs_no_model_of_the_hub_on_this_machine(study_of: StudyOf) -> None:
    config = study_of(models=[{"model": "nobody/has-this"}])
    with pytest.raises(ConfigError, match="no results of this grid"):
        report_only(config)


def test_the_model_is_opened_once_and_only_where_it_is_needed(
    study_of: StudyOf, scripted: Any
) -> None:
    opened: list[str] = []

    def opener(model: StudyModel, config: StudyConfig) -> Any:
        opened.append(model.label)
        return scripted()

    place = {"model": "m", "url": "http://localhost:1/v1"}
    both = study_of(models=[{**place, "name": "a"}, {**place, "model": "n", "name": "b"}])
    run(replace(both, models=both.models[:1]), opener, show=False)
    run(both, opener, show=False)
    assert opened == ["a", "b"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"model": "luciola-tests/nothing"}, "hub cannot be reached"),
        ({"model": "./model"}, "has no weights"),
        ({"model": "n", "url": "localhost:8000"}, "is no address of a server"),
    ],
)
def test_a_model_that_cannot_be_had_is_found_before_the_first_point(
    study_of: StudyOf,
    scripted: Any,
    monkeypatch: pytest.MonkeyPatch,
    missing: dict[str, str],
    said: str,
) -> None:
    """It is the second model of the grid, and the first one is not asked either."""
    from support import write_model

    monkeypatch.setattr("luciola.models.hub.is_reachable", lambda model: False)
    for file in write_model(Path("model")).glob("*.safetensors"):
        file.unlink()
    first, model = {"model": "m", "url": "http://localhost:1/v1"}, scripted()
    config = study_of(models=[first, {"name": "second", **missing}])
    with pytest.raises(LuciolaError, match=said):
        run(config, model.opened, show=False)
    assert model.asked == []
    assert "second cannot be asked: " in forecast(config)
    run(study_of(models=[first]), model.opened, show=False)
    assert len(Study(config).unfinished()) == 2


def test_a_model_without_a_template_is_told_to_go_on(study_of: StudyOf, scripted: Any) -> None:
    from support import write_model

    folder = write_model(Path("model"), context=2048)
    for file in folder.glob("chat_template*"):
        file.unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({k: v for k, v in settings.items() if k != "chat_template"})
    )
    with pytest.raises(LuciolaError, match="has no chat template") as caught:
        run(study_of(models=[{"model": "./model"}]), scripted().opened, show=False)
    assert "raw: true" in str(caught.value.remedy)
    run(study_of(models=[{"model": "./model", "raw": True}]), scripted().opened, show=False)


def test_a_tokenizer_that_is_not_there_is_found_before_the_first_point(
    study_of: StudyOf, scripted: Any
) -> None:
    place, model = {"url": "http://localhost:1/v1", "context": 99}, scripted()
    models = [{**place, "model": "m"}, {**place, "model": "n", "tokenizer": "./gone"}]
    with pytest.raises(LuciolaError, match="there is no tokenizer: no file gone"):
        run(study_of(models=models), model.opened, show=False)
    assert model.asked == []


def test_the_grid_that_was_given_stays_as_it_is(study_of: StudyOf, scripted: Any) -> None:
    """`sql ablate study/grid.yaml out=study`: a grid alone does not make the folder a study."""
    config = study_of()
    grid = Path(config.out, "grid.yaml")
    grid.parent.mkdir()
    grid.write_text("# my comments\n")
    with pytest.raises(ConfigError, match="something other than a study"):
        run(config, scripted().opened, show=False)
    (grid.parent / "points").mkdir()
    run(config, scripted().opened, show=False, source=grid)
    assert grid.read_text() == "# my comments\n"
