"""How much a model-written query may take."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Limits of one query; each has its own error when it is passed."""

    timeout_s: float = 5.0
    """Seconds from sending the query to its last row."""
    max_rows: int = 10_000
    """Rows of the result."""
    max_memory_bytes: int = 512 * MIB
    """Memory of a worker beyond what it needs to exist."""
    max_result_bytes: int = 16 * MIB
    """Characters and bytes of all cells together, each at least 8; also of any one value."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} must be positive, got {value}")
