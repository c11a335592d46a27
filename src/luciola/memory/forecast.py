"""A run's memory, part by part and phase by phase, and the table a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from luciola.memory.cards import CUDA_BYTES, GIB, Card

GRADIENTS, PEAK = "gradients", "tensors at the peak"


@dataclass(frozen=True)
class Forecast:
    """Bytes of a run.

    Args:
        lasting: parts that are there all the time.
        phases: what each phase has besides at its peak; at least "update".
        micro_tokens: tokens of a micro-batch in the update.
        note: how surely this was found out; empty: as usual.
    """

    lasting: Mapping[str, int]
    phases: Mapping[str, Mapping[str, int]]
    micro_tokens: int
    note: str = ""

    @property
    def highest(self) -> str:
        """The phase that needs most."""
        return max(self.phases, key=self.of_phase)

    def of_phase(self, phase: str) -> int:
        """Bytes of tensors at a phase's peak."""
        return sum(self.parts(phase).values())

    def parts(self, phase: str) -> dict[str, int]:
        """Every part at a phase's peak. Gradients are there in the update only; those that the
        micro-batch itself makes are part of the phase.
        """
        own = dict(self.phases[phase])
        kept = {k: v for k, v in self.lasting.items() if k != GRADIENTS or phase == "update"}
        if kept.get(GRADIENTS) and own.get(GRADIENTS):
            kept[GRADIENTS] = max(kept[GRADIENTS], own.pop(GRADIENTS))
        return {**kept, **own}

    @property
    def peak(self) -> int:
        """Bytes of tensors at the run's peak, as torch.cuda.max_memory_allocated counts them."""
        return self.of_phase(self.highest)

    def fits(self, card: Card) -> bool:
        """Whether the run's tensors have room there."""
        return self.peak <= card.usable_bytes

    def largest(self, count: int = 4) -> list[tuple[str, int]]:
        """The largest parts at the peak."""
        ranked = sorted(self.parts(self.highest).items(), key=lambda part: -part[1])
        return ranked[:count]


def gib(size: float) -> str:
    """Bytes as a person reads them."""
    return f"{size / GIB:.2f} GiB"


def table(forecast: Forecast, card: Card | None, measured: Mapping[str, int] | None = None) -> str:
    """The parts, the largest first, and their sum; beside them what was measured."""
    parts = forecast.parts(forecast.highest)
    rows = [(name, size) for name, size in sorted(parts.items(), key=lambda part: -part[1])]
    width = max(len(name) for name, _ in [*rows, (PEAK, 0)]) + 2
    lines = [_row(name, size, measured, width) for name, size in rows]
    lines.append(_row(PEAK, forecast.peak, measured, width))
    others = [phase for phase in forecast.phases if phase != forecast.highest]
    lines += [f"  (at the peak of {p}: {gib(forecast.of_phase(p))})" for p in others]
    if card is not None:
        total = forecast.peak + CUDA_BYTES
        lines.append(_row("CUDA context", CUDA_BYTES, None, width))
        lines.append(
            f"  {'in all':{width}}{gib(total):>10} of {gib(card.total_bytes)} on {card.name}: "
            + ("fits" if forecast.fits(card) else "DOES NOT FIT")
        )
    return "\n".join([*lines, *([f"  {forecast.note}"] if forecast.note else [])])


def _row(name: str, size: int, measured: Mapping[str, int] | None, width: int) -> str:
    line = f"  {name:{width}}{gib(size):>10}"
    if measured is None or name not in measured:
        return line
    seen = measured[name]
    apart = f" ({size / seen - 1:+.1%})" if seen else ""
    return f"{line}   measured {gib(seen)}{apart}"
