"""What a wrong call of the classic interface raises."""

from __future__ import annotations

from luciola.errors import ConfigError


class ClassicError(ConfigError, ValueError):
    """A wrong argument; also a ValueError, which is what code written for the original expects."""
