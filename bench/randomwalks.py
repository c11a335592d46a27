"""How good the walks are that a method learns, over several seeds.

    python bench/randomwalks.py ppo [--seeds 0 1 2 3 4] [--out FOLDER] [key=value ...]
    python bench/randomwalks.py ilql

Runs `recipes/randomwalks/METHOD.yaml` once for each seed, in a process of its own, and prints one
line a run: optimality (1 is the shortest way) at the best and the last evaluation, seconds by the
clock and on the processor. Where walks are sampled with several values of beta, there is a line for
each. Every run is kept in its folder; a finished one is not run again.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

RECIPES = Path(__file__).parents[1] / "recipes" / "randomwalks"
MEASURE = "optimality"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method", choices=sorted(path.stem for path in RECIPES.glob("*.yaml")))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=Path("runs/bench-randomwalks"))
    parser.add_argument("settings", nargs="*", metavar="key=value")
    asked = parser.parse_intermixed_args()
    print("| seed | sampled with | first | best | last | seconds | processor seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    runs = [run(asked.method, seed, asked.out, asked.settings) for seed in asked.seeds]
    for name in sorted({name for curves in runs for name in curves}):
        last, best = ([pick(curves[name]) for curves in runs] for pick in (lambda c: c[-1], max))
        print(
            f"{name}: last {statistics.median(last):.3f} median, {min(last):.3f} to {max(last):.3f}"
            f"; best {statistics.median(best):.3f} median, {max(best):.3f} of all"
        )


def run(method: str, seed: int, out: Path, settings: list[str]) -> dict[str, list[float]]:
    """Optimality at each evaluation of one run, by what it is called in report.json."""
    folder = out / f"{method}-{seed}"
    recipe = str(RECIPES / f"{method}.yaml")
    began, before = time.perf_counter(), _processor_s()
    words = [recipe, f"out={folder}", f"seed={seed}", *settings]
    command = [sys.executable, "-m", "luciola", "train", method, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    seconds, processor_s = time.perf_counter() - began, _processor_s() - before
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    rows = report["evaluations"]
    names = [name for name in rows[0] if name.partition("@")[0] == MEASURE]
    curves = {name: [float(row[name]) for row in rows] for name in names}
    for name, curve in curves.items():
        print(
            f"| {seed} | {name.partition('@')[2] or '-'} | {curve[0]:.3f} | {max(curve):.3f} "
            f"| {curve[-1]:.3f} | {seconds:.0f} | {processor_s:.0f} |",
            flush=True,
        )
    return curves


def _processor_s() -> float:
    """Seconds on the processor of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
