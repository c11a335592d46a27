"""What is kept and shown of a run: checkpoints, evaluations, trackers."""

from __future__ import annotations

from importlib.util import find_spec

from luciola.compat.firefly.page import Page

TRACKERS = ("tensorboard", "wandb", "trackio")


def recording(page: Page) -> None:
    """All of it."""
    for part in (_saving, _evaluation, _tracking):
        part(page)


def _saving(page: Page) -> None:
    strategy = page.choice("save_strategy", "steps", ("steps", "epoch", "no"))
    steps = page.get("save_steps", 500)
    page.settings["save_every"] = int(steps) if strategy == "steps" and steps >= 1 else 0
    if strategy != "steps" or steps < 1:
        what = f"save_strategy={strategy}" if strategy != "steps" else f"save_steps={steps:g}"
        page.notices.append(f"{what}: ten checkpoints are written over the run, for going on")
    if page.get("save_total_limit", 0) > 0:
        page.settings["keep"] = page.values["save_total_limit"]
    else:  # all, in transformers
        page.notices.append("without save_total_limit the last checkpoint is kept; keep=3 keeps 3")


def _evaluation(page: Page) -> None:
    old = page.get("evaluation_strategy", "no")
    if "evaluation_strategy" in page.values:
        page.notices.append("evaluation_strategy is called eval_strategy today, and read as such")
    strategy = page.get("eval_strategy", old)
    if not page.get("eval_file", ""):
        return
    page.settings["eval_data"] = page.values["eval_file"]
    if strategy == "steps":
        page.settings["eval_every"] = int(page.get("eval_steps", page.get("logging_steps", 500)))


def _tracking(page: Page) -> None:
    given = page.get("report_to", "none")
    names = [given] if isinstance(given, str) else list(given)
    used = [name for name in names if name in TRACKERS and find_spec(name)]
    page.settings["track"] = used
    missing = [str(name) for name in names if name not in (*used, "none", "all")]
    if missing:
        page.notices.append(
            f"report_to={','.join(missing)} is not installed or not known: the figures are in the "
            "run's metrics.jsonl and report.md"
        )
