"""What belongs to one task: the chat format, and what comparisons need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from luciola.compat.firefly.page import Page
from luciola.conversation.firefly.formats import FORMATS, SCHEME

Task = Literal["sft", "pretrain", "dpo"]
TASKS: tuple[Task, ...] = ("sft", "pretrain", "dpo")
OLDER_NAMES = {"cpm3": "minicpm3"}


def _template(page: Page) -> None:
    given = page.get("template_name", "")
    if not given:
        page.notices.append("template_name is empty: the model's own chat template is used")
    elif given in OLDER_NAMES:
        page.settings["template"] = SCHEME + OLDER_NAMES[given]
    else:
        page.settings["template"] = SCHEME + page.choice("template_name", "", tuple(FORMATS))


def _comparisons(page: Page) -> None:
    _template(page)
    page.settings["beta"] = page.get("beta", 0.1)
    wanted, longest = page.get("max_prompt_length", 512), page.values["max_seq_length"]
    page.settings["max_prompt_length"] = min(wanted, longest - 1)
    if wanted >= longest:
        page.notices.append(
            f"max_prompt_length={wanted} would leave no token of {longest} for the answers: "
            f"{longest - 1} is taken"
        )


TASK_PARTS: Mapping[Task, Callable[[Page], None]] = {
    "sft": _template,
    "pretrain": lambda page: None,
    "dpo": _comparisons,
}
