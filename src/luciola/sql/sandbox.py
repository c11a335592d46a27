"""The door to `luciola.sql.database.sandbox`: `from luciola.sql.sandbox import Sandbox`."""

from luciola.sql.database.sandbox import Result, Sandbox

__all__ = ["Result", "Sandbox"]
