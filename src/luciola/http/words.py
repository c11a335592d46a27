"""What a server says, in words that may stand in a message: one line of limited length."""

from __future__ import annotations

import json
import re
from typing import Any

SHOWN = 300
"""Characters of what a server says that stand in a message."""
PAGE = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype html|html|head)\b",
    re.IGNORECASE | re.DOTALL,
)
TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def message_of(text: str) -> str:
    """What a server says is wrong: its error's message, or the beginning of the text."""
    if is_page(text):
        return page(text)
    if not text.strip():
        return "nothing more"
    content = read_json(text)
    error = content.get("error", content) if isinstance(content, dict) else None
    found = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return cut(found if isinstance(found, str) and found.strip() else text)


def is_page(text: str) -> bool:
    """Whether a proxy or a login answers in a server's place."""
    return PAGE.match(text) is not None


def page(text: str) -> str:
    """A web page in words, by its title."""
    title = TITLE.search(text)
    named = cut(title[1], 80) if title else ""
    return f"a web page ({named!r})" if named else "a web page"


def read_json(text: str) -> Any:
    """What JSON says; None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def cut(text: str, length: int = SHOWN) -> str:
    """The text in one line of limited length, of which a terminal understands no commands."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= length else line[: length - 1] + "…"
