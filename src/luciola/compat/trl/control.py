"""What a trainer keeps beside the model: the KL coefficient, and the time."""

from __future__ import annotations

import time

from luciola.compat.trl.config import PPOConfig
from luciola.objectives.kl import AdaptiveKl, FixedKl


class KlControl:
    """The KL coefficient, `value`, and its `update`."""

    def __init__(self, config: PPOConfig) -> None:
        start = config.init_kl_coef
        self._law: AdaptiveKl | FixedKl = (
            AdaptiveKl(start, config.target, config.horizon)
            if config.adap_kl_ctrl
            else FixedKl(start)
        )

    @property
    def value(self) -> float:
        """The coefficient as it is now."""
        return self._law.coefficient

    def update(self, current: float, n_steps: int) -> None:
        """Follow the mean KL of `n_steps` answers, in nats."""
        self._law = self._law.updated(current, n_steps)


class Clock:
    """Seconds of the parts of a step."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._parts: dict[str, float] = {}

    def lap(self, name: str = "") -> None:
        """A part ends; without a name it is not told."""
        now = time.perf_counter()
        if name:
            self._parts[f"time/ppo/{name}"] = now - self._last
        self._last = now

    def times(self) -> dict[str, float]:
        """Seconds of each part, and of all together."""
        return {**self._parts, "time/ppo/total": time.perf_counter() - self._start}
