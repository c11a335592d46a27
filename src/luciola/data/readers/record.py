"""One row of a data file, and typed access to its fields with errors that name its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from luciola.errors import DataError
from luciola.types import Example, Message, Origin

ROLES = ("system", "developer", "user", "assistant", "tool", "function", "ipython")


@dataclass(frozen=True)
class Record:
    """A row: its fields without those that are null, and where it stands."""

    values: Mapping[str, Any]
    origin: Origin

    def error(self, message: str, *, remedy: str | None = None) -> DataError:
        """A DataError at this row."""
        return DataError(message, path=self.origin.path, line=self.origin.line, remedy=remedy)

    def format_error(self, message: str, *, remedy: str) -> FormatError:
        """A FormatError at this row."""
        return FormatError(message, path=self.origin.path, line=self.origin.line, remedy=remedy)

    def unsupported(self, message: str, *, remedy: str | None = None) -> UnsupportedError:
        """An UnsupportedError at this row."""
        return UnsupportedError(
            message, path=self.origin.path, line=self.origin.line, remedy=remedy
        )

    def string(self, key: str) -> str:
        """The text of a field, which must not be blank."""
        if key not in self.values:
            raise self.error(f"the row has no {key!r} (its keys: {keys(self.values)})")
        return self.filled(self.values[key], repr(key))

    def optional(self, key: str) -> str:
        """The text of a field that may be missing or blank."""
        return self.checked(self.values.get(key, ""), repr(key))

    def objects(self, key: str) -> list[Mapping[str, Any]]:
        """A field that is a list of objects, not empty."""
        value = self.values.get(key)
        if not isinstance(value, list):
            raise self.error(f"{key!r} must be a list of objects, got {kind(value)}")
        if not value:
            raise self.error(f"{key!r} is empty")
        for i, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.error(f"{key}[{i}] must be an object, got {kind(item)}")
        return value

    def filled(self, value: object, name: str) -> str:
        """`value` as text, which must not be blank; `name` says in an error what it is."""
        text = self.checked(value, name)
        if not text.strip():
            raise self.error(f"{name} is empty")
        return text

    def checked(self, value: object, name: str) -> str:
        """`value` as text that can be encoded."""
        if not isinstance(value, str):
            raise self.error(f"{name} must be a text, got {kind(value)}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self.error(
                f"{name} holds half a character, \\u{ord(value[error.start]):x} alone",
                remedy="Write the character itself, or its whole surrogate pair.",
            ) from error
        return value

    def opening(self) -> tuple[Message, ...]:
        """The row's `system` field as a message, if it is there and not blank."""
        system = self.optional("system")
        return (Message("system", system),) if system.strip() else ()


class FormatError(DataError):
    """A file whose rows, as a whole, are in no format that fine-tuning reads."""


class UnsupportedError(DataError):
    """A row of which nothing is left without a tool call, a thought or an image: it is left out and
    counted, not an end to the reading.
    """


@dataclass(frozen=True)
class Format:
    """One format: its name, what a row looks like, which rows it fits, and how to read one."""

    name: str
    shape: str
    fits: Callable[[Mapping[str, Any]], bool]
    example: Callable[[Record], Example]


def keys(values: Mapping[str, Any]) -> str:
    """The names of the fields, for an error message."""
    names = list(values)
    shown = ", ".join(names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown or "none"


def kind(value: object) -> str:
    """What a value is, in the words of JSON."""
    names = {str: "a text", bool: "true or false", list: "a list", dict: "an object"}
    if value is None:
        return "nothing"
    return names.get(type(value), f"the number {value}")


def is_objects(value: object, *fields: str) -> bool:
    """Whether `value` is a list that begins with an object with these fields."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    return all(field in value[0] for field in fields)
