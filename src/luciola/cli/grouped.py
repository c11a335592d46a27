"""Commands with many options: each group of them is a dataclass, whose fields are the options.

    @grouped
    def answer(files: FileOptions, drawn: SamplingOptions) -> None: ...

is a command with all fields of both as its options, in their order. A field is written as typer
wants a parameter: `Annotated[TYPE, typer.Option(...)]` and its default.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with one parameter for each field of its parameters' dataclasses."""
    groups = get_type_hints(command)
    groups.pop("return", None)
    parameters = [each for group in groups.values() for each in _parameters(group)]

    def run(**given: Any) -> None:
        command(
            **{
                name: group(**{field.name: given[field.name] for field in fields(group)})
                for name, group in groups.items()
            }
        )

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": None}
    vars(run)["__signature__"] = inspect.Signature(parameters, return_annotation=None)
    return run


def _parameters(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
