"""The figures of docs/ppo.md that need no run: the loop, GAE on an invented answer, the clip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drawing import BLUE, GRID, INK, ORANGE, SOFT, box, line, path, save, text

ARROW = {"marker_end": "url(#tip)", "stroke_width": "1.5"}
PURPLE, GREEN = "#6b4ea0", "#1b7a4b"


def loop(folder: Path) -> None:
    """Which model gives which figure to which."""
    parts = [
        text(105, 22, "1 Sampling", size=15, anchor="middle", fill=PURPLE, font_weight="bold"),
        text(365, 22, "2 Feedback", size=15, anchor="middle", fill=BLUE, font_weight="bold"),
        text(640, 22, "3 Learning", size=15, anchor="middle", fill=GREEN, font_weight="bold"),
        *_card(20, 95, 170, "policy π (actor)", "prompt → answer", PURPLE),
        *_card(270, 40, 190, "reward", "answer → score", BLUE),
        *_card(270, 110, 190, "reference π_ref", "→ KL per token", BLUE),
        *_card(270, 180, 190, "critic V", "→ value per token", BLUE),
        *_card(545, 95, 190, "advantage A, return R", "per token, by GAE", GREEN),
        line((190, 115), (268, 70), **ARROW),
        line((190, 122), (268, 137), **ARROW),
        line((190, 130), (268, 205), **ARROW),
        line((460, 68), (543, 112), **ARROW),
        line((460, 137), (543, 124), **ARROW),
        line((460, 207), (543, 138), **ARROW),
        *_bend([(690, 150), (690, 292), (105, 292), (105, 152)]),
        text(
            330,
            310,
            "A makes the policy's tokens likelier or less likely (clipped)",
            anchor="middle",
            fill=SOFT,
        ),
        *_bend([(610, 150), (610, 258), (365, 258), (365, 237)]),
        text(488, 276, "R corrects the critic", anchor="middle", fill=SOFT),
    ]
    save(folder / "ppo-loop.svg", (760, 324), parts)


def _card(x: float, y: float, width: float, title: str, below: str, colour: str) -> list[str]:
    middle = x + width / 2
    return [
        box(x, y, width, 54, fill="white", stroke=colour, stroke_width="2", rx="6"),
        text(middle, y + 23, title, size=14, anchor="middle"),
        text(middle, y + 42, below, size=12, anchor="middle", fill=SOFT),
    ]


def _bend(points: list[tuple[float, float]]) -> list[str]:
    return [path(points, stroke=SOFT, **ARROW)]


TOKENS = ["Yes", ",", "with", "pleasure", "!"]
REWARDS = [0.0, 0.0, 0.0, 0.0, 1.0]
VALUES = [0.4, 0.4, 0.3, 0.8, 0.9]


def gae(folder: Path) -> None:
    """TD errors and advantages of an invented answer, γ = 1, λ = 0.95."""
    following = [*VALUES[1:], 0.0]
    deltas = [r + n - v for r, n, v in zip(REWARDS, following, VALUES, strict=True)]
    advantages = list(deltas)
    for place in reversed(range(len(deltas) - 1)):
        advantages[place] += 0.95 * advantages[place + 1]
    rows = {"value V": VALUES, "reward r": REWARDS, "TD error δ": deltas, "advantage A": advantages}
    parts = [
        text(170 + 100 * i, 24, t, anchor="middle", font_family="monospace", size=14)
        for i, t in enumerate(TOKENS)
    ]
    for row, (name, numbers) in enumerate(rows.items()):
        base = 85 + 80 * row
        parts += [text(12, base + 4, name), line((110, base), (630, base), stroke=GRID)]
        for i, number in enumerate(numbers):
            colour = ORANGE if number < 0 else BLUE
            parts.append(box(155 + 100 * i, base, 30, -42 * number, fill=colour))
            label = base - 42 * max(number, 0) - 5
            parts.append(
                text(
                    170 + 100 * i,
                    label,
                    f"{number:.2f}".replace("-", "−"),
                    size=12,
                    anchor="middle",
                )
            )
    save(folder / "ppo-gae.svg", (640, 370), parts)


def clip(folder: Path) -> None:
    """The objective of one token over its ratio, ε = 0.2."""
    parts = [
        *_surrogate(40, "A > 0: better than expected", lambda r: min(r, min(max(r, 0.8), 1.2))),
        *_surrogate(390, "A < 0: worse than expected", lambda r: min(-r, -min(max(r, 0.8), 1.2))),
    ]
    save(folder / "ppo-clip.svg", (720, 300), parts)


def _surrogate(left: float, title: str, gain: Callable[[float], float]) -> list[str]:
    zero = 235 if gain(1.0) > 0 else 65
    ratios = [0.4 + 0.01 * step for step in range(121)]

    def place(ratio: float) -> tuple[float, float]:
        return left + 20 + (ratio - 0.4) * 220, zero - 115 * gain(ratio)

    marks = [(0.8, "1 − ε"), (1.0, "1"), (1.2, "1 + ε")]
    slope, flat = _pieces(ratios, gain)
    return [
        text(left + 150, 24, title, size=14, anchor="middle", font_weight="bold"),
        line((left, zero), (left + 300, zero), **ARROW),
        text(left + 300, zero + 18, "ratio ρ", anchor="end", size=12, fill=SOFT),
        *(line((place(r)[0], 45), (place(r)[0], 255), stroke=GRID) for r, _ in marks),
        *(text(place(r)[0], 272, name, anchor="middle", size=12) for r, name in marks),
        path(map(place, slope), stroke=BLUE, stroke_width="3"),
        path(map(place, flat), stroke=ORANGE, stroke_width="3", stroke_dasharray="6 4"),
        text(
            left + 150,
            292,
            "solid: pushed · dashed: no gradient",
            anchor="middle",
            size=12,
            fill=SOFT,
        ),
        f'<circle cx="{place(1.0)[0]:.1f}" cy="{place(1.0)[1]:.1f}" r="4" fill="{INK}"/>',
    ]


def _pieces(ratios: list[float], gain: Callable[[float], float]) -> tuple[list[float], list[float]]:
    """The ratios where the objective rises or falls, and where it is flat."""
    rising = gain(1.0) > 0
    slope = [r for r in ratios if (r <= 1.2 if rising else r >= 0.8)]
    return slope, [r for r in ratios if (r >= 1.195 if rising else r <= 0.805)]
