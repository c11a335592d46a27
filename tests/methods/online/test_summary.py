"""What the report of an online run says, worked by hand."""

from __future__ import annotations

from typing import Any

from luciola.methods.online.summary import MOST_ROWS, headlines, iterations_of, table


def metrics(scores: list[float]) -> list[dict[str, Any]]:
    """Two steps an iteration; the first logs half the clip fraction of the second."""
    rows: list[dict[str, Any]] = [{"step": 0, "eval/score": 9.0}]
    for number, score in enumerate(scores):
        steps = {"loss": 1.0, "policy/clip_fraction": 0.1 * number, "lr": 1.0}
        rows.append({"step": 2 * number + 1, **steps})
        rows.append(
            {
                "step": 2 * number + 2,
                **steps,
                "policy/clip_fraction": 0.2 * number,
                "iteration": float(number + 1),
                "score/mean": score,
                "objective/kl": 0.5 * number,
                "answers/length": 10.0 + number,
                "component/polite": score / 2,
                "component/short": score / 2,
            }
        )
    return rows


def test_start_best_and_last_are_told() -> None:
    found = headlines(metrics([1.0, 4.0, 2.0]))
    assert found["score"] == {"start": 1.0, "best": 4.0, "last": 2.0, "best_iteration": 2}
    assert found["kl"] == {"start": 0.0, "at_best": 0.5, "last": 1.0}
    assert found["length"] == {"start": 10.0, "at_best": 11.0, "last": 12.0}
    assert headlines([]) == {}


def test_figures_of_steps_are_averaged_over_their_iteration() -> None:
    rows = iterations_of(metrics([1.0, 2.0]))
    assert [round(row["policy/clip_fraction"], 9) for row in rows] == [0.0, 0.15]
    assert [row["score/mean"] for row in rows] == [1.0, 2.0]


def test_a_line_an_iteration_with_what_the_run_has() -> None:
    lines = table(metrics([1.0, 4.0])).splitlines()
    assert lines[0] == (
        "| iteration | score | KL, nats an answer | tokens an answer | ratio clipped "
        "| polite | short |"
    )
    assert lines[2:] == [
        "| 1 | 1 | 0 | 10 | 0 | 0.5 | 0.5 |",
        "| 2 | 4 | 0.5 | 11 | 0.15 | 2 | 2 |",
    ]


def test_of_many_iterations_some_are_shown_and_the_best_always() -> None:
    scores = [float(n % 7) for n in range(1000)]
    scores[123] = 50.0
    lines = table(metrics(scores)).splitlines()[2:]
    assert len(lines) == MOST_ROWS + 1
    shown = [line.split(" | ")[0] for line in lines]
    assert shown[0] == "| 1" and shown[-1] == "| 1,000" and "| 124" in shown
