"""Preference formats, recognised only to say which trainer reads them.

Their worse answers must not be imitated. Chosen and rejected (TRL, LLaMA-Factory, Firefly), ranked
lists of outputs, OpenAI's preferred_output, and completions with a true/false label (KTO).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from luciola.data.readers.record import Format, Record, keys


def fits(values: Mapping[str, Any]) -> bool:
    """Whether a row compares or judges answers."""
    return (
        {"chosen", "rejected"} <= set(values)
        or "preferred_output" in values
        or (isinstance(values.get("output"), list) and "instruction" in values)
        or ("completion" in values and isinstance(values.get("label"), bool))
    )


def example(record: Record) -> NoReturn:
    """Refuses the row.

    Raises: FormatError
    """
    raise record.format_error(
        f"these rows are preferences (keys {keys(record.values)}), not examples to imitate",
        remedy="Use `luciola train dpo` or `luciola train reward`, or put the better answers into "
        "one of the formats of fine-tuning.",
    )


FORMAT = Format(
    name="preferences", shape='{"chosen": …, "rejected": …}', fits=fits, example=example
)
