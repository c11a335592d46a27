"""Draw the figures of docs/ppo.md.

    python docs/figures/make_ppo_figures.py                 the diagrams
    python docs/figures/make_ppo_figures.py RUN [PROMPT]    and those of a run, from its trace

RUN is a run's folder, PROMPT the index of the traced prompt (0). The figures are written beside
this file; those of a run say in their last line which run, step and prompt they are from.
"""

from __future__ import annotations

import sys
from math import exp, fsum, sqrt
from pathlib import Path

import ppo_diagrams
from drawing import BLUE, GRID, ORANGE, SOFT, box, line, path, save, text

from luciola.runs.curve import curve_svg
from luciola.runs.metrics import Metrics
from luciola.runs.report import points
from luciola.runs.trace import AnswerTrace, TraceFile

HERE = Path(__file__).parent
WIDTH = 860
LETTER = 8.4
"""Width of a letter of 14 px monospace."""
ROWS = {
    "probability, sampled": "logprobs",
    "KL to the reference": "kls",
    "reward": "rewards",
    "value": "values",
    "advantage, whitened": "advantages",
    "ratio − 1": "ratios",
}
MOST_TOKENS = 24


def main(words: list[str]) -> None:
    """Draw what the command line asks for."""
    for diagram in (ppo_diagrams.loop, ppo_diagrams.gae, ppo_diagrams.clip):
        diagram(HERE)
    if words:
        run = Path(words[0])
        prompt = int(words[1]) if len(words) > 1 else 0
        answers = [a for a in TraceFile(run / "trace.jsonl").read() if a.prompt_index == prompt]
        answers = [answer for answer in answers if answer.tokens]
        draw_answers(answers, run.name)
        draw_columns(answers[len(answers) // 2], run.name)
        draw_curves(run)


def draw_answers(answers: list[AnswerTrace], run: str) -> None:
    """The answers to one prompt early, in the middle and late, coloured by advantage."""
    chosen = [answers[0], answers[len(answers) // 2], answers[-1]]
    parts, top = (
        [text(12, 26, f"Prompt: {' '.join(answers[0].prompt.split())[:100]}", fill=SOFT)],
        56.0,
    )
    for answer in chosen:
        title = f"step {answer.step}: score {answer.score:.2f}, KL {fsum(answer.kls):.2f} nats"
        parts.append(text(12, top, title, font_weight="bold"))
        cells, top = token_cells(answer, top + 12)
        parts += cells
        top += 34
    parts.append(text(12, top, origin(chosen, run), size=11, fill=SOFT))
    save(HERE / "ppo-run-answers.svg", (WIDTH, round(top + 14)), parts)


def token_cells(answer: AnswerTrace, top: float) -> tuple[list[str], float]:
    """The tokens in lines, each on its colour, and where the last line ends."""
    most = max(map(abs, answer.advantages)) or 1.0
    parts, x = [], 12.0
    for token, advantage in zip(answer.tokens, answer.advantages, strict=True):
        width = LETTER * max(1, len(shown(token))) + 4
        if x + width > WIDTH - 12:
            x, top = 12.0, top + 26
        opacity = f"{0.62 * sqrt(abs(advantage) / most):.2f}"
        colour = BLUE if advantage > 0 else ORANGE
        parts.append(box(x, top, width, 22, fill=colour, fill_opacity=opacity, rx="3"))
        parts.append(text(x + 2, top + 16, shown(token), size=14, font_family="monospace"))
        x += width + 2
    return parts, top + 22


def draw_columns(answer: AnswerTrace, run: str) -> None:
    """What the three phases wrote under each token of one answer, as bars."""
    count = min(len(answer.tokens), MOST_TOKENS)
    wide = (WIDTH - 215) / count
    parts = [tilted(170 + wide * (i + 0.5), 88, shown(answer.tokens[i])) for i in range(count)]
    top = 108.0
    for name, column in ROWS.items():
        numbers = figures(answer, column)[:count]
        if numbers:
            parts += bars(name, numbers, top, wide)
            top += 78
    parts.append(text(12, top + 8, origin([answer], run), size=11, fill=SOFT))
    save(HERE / "ppo-run-columns.svg", (WIDTH, round(top + 22)), parts)


def figures(answer: AnswerTrace, column: str) -> list[float]:
    """A column as it is drawn."""
    numbers = getattr(answer, column)
    if column == "logprobs":
        return [exp(number) for number in numbers]
    return [number - 1 for number in numbers] if column == "ratios" else list(numbers)


def bars(name: str, numbers: list[float], top: float, wide: float) -> list[str]:
    """One row of bars on a common axis, with its least and largest number."""
    low, high = min(0.0, *numbers), max(0.0, *numbers)
    scale = 58 / ((high - low) or 1.0)
    axis = top + high * scale
    parts = [text(12, top + 26, name), line((165, axis), (WIDTH - 10, axis), stroke=GRID)]
    limits = f"{min(numbers):.3g} to {max(numbers):.3g}".replace("-", "−")
    parts.append(text(12, top + 43, limits, size=11, fill=SOFT))
    for place, number in enumerate(numbers):
        colour = BLUE if number >= 0 else ORANGE
        parts.append(box(172 + wide * place, axis, max(wide - 4, 2), -number * scale, fill=colour))
    if name.startswith("ratio") and low < 0 < high:
        parts += [limit(axis - edge * scale) for edge in (-0.2, 0.2) if low <= edge <= high]
    return parts


def limit(y: float) -> str:
    """An edge of the trust interval."""
    return path([(165, y), (WIDTH - 10, y)], stroke=SOFT, stroke_width="1", stroke_dasharray="3 3")


def draw_curves(run: Path) -> None:
    """Score and KL of whole batches over the steps."""
    rows = Metrics(run / "metrics.jsonl").rows()
    for key, label in (("score/mean", "score"), ("objective/kl", "KL, nats")):
        series = {label: points(rows, key)}
        file = HERE / f"ppo-run-{key.replace('/', '-')}.svg"
        file.write_text(curve_svg(series, y_label=label), encoding="utf-8")


def tilted(x: float, y: float, words: str) -> str:
    """A token's text, rising to the right."""
    return text(x, y, words[:14], size=12, transform=f"rotate(-50 {x:.1f} {y:.1f})")


def origin(answers: list[AnswerTrace], run: str) -> str:
    """Where the figures are from."""
    steps = ", ".join(str(answer.step) for answer in answers)
    one = answers[0]
    return f"run {run}, {one.method}, prompt {one.prompt_index}, steps {steps}"


def shown(token: str) -> str:
    """A token with its spaces and line breaks as marks."""
    marked = token.replace(" ", "·").replace("\n", "↵").replace("\t", "⇥") or "∅"
    return "".join(c if c.isprintable() else "�" for c in marked)


if __name__ == "__main__":
    main(sys.argv[1:])
