"""A Firefly format as a Jinja template, and the mark by which such a template is known again.

The folder of a model that was trained with `template=firefly:NAME` keeps this template, so that
every program that serves the model renders the same text.
"""

from __future__ import annotations

import json
import re

from luciola.conversation.firefly.formats import (
    SCHEME,
    Content,
    Ending,
    Part,
    Parts,
    Round,
    Special,
    find_format,
)

MARK = re.compile(r"\{#- firefly:(\w+) -#\}")
ORDER = "after a system message, user and assistant must take turns, the user first"


def firefly_name(template: str, own: object = None) -> str | None:
    """The Firefly template that is meant, or None.

    Args:
        template: as in a recipe: `firefly:NAME`, a file, or nothing.
        own: the tokenizer's own template, which decides where `template` is empty.
    """
    if template.startswith(SCHEME):
        return template.removeprefix(SCHEME)
    found = MARK.match(own) if isinstance(own, str) and not template else None
    return found.group(1) if found else None


def jinja_source(name: str) -> str:
    """The Jinja template of a Firefly format. Raises: TemplateError if there is none."""
    form = find_format(name)
    system = ""
    if form.system is not None:
        default = "none" if form.default is None else json.dumps(form.default)
        system = (
            f"{{%- set system = given if given is not none else {default} -%}}\n"
            f"{{%- if system is not none -%}}{_output(form.system, 'system')}{{%- endif -%}}\n"
        )
    return (
        f"{{#- {SCHEME}{name} -#}}\n"
        "{%- set has_system = messages and messages[0]['role'] == 'system' -%}\n"
        "{%- set given = messages[0]['content'] | trim if has_system else none -%}\n"
        "{%- set turns = messages[1:] if has_system else messages -%}\n"
        f"{_output(form.opening, '')}"
        f"{system}"
        "{%- for turn in turns -%}\n"
        "{%- set text = turn['content'] | trim -%}\n"
        "{%- if turn['role'] != ('user', 'assistant')[loop.index0 % 2] -%}\n"
        f"{{{{- raise_exception({json.dumps(ORDER)}) -}}}}\n"
        "{%- elif turn['role'] == 'user' -%}\n"
        f"{_output(form.user, 'text')}"
        "{%- else -%}\n"
        f"{_output(form.assistant, 'text')}"
        "{%- endif -%}\n"
        "{%- endfor -%}"
    )


def _output(parts: Parts, content: str) -> str:
    """The statement that writes the parts, nothing where there are none."""
    texts = [_expression(part, content) for part in parts]
    return f"{{{{- {' ~ '.join(texts)} -}}}}\n" if texts else ""


def _expression(part: Part, content: str) -> str:
    match part:
        case Content():
            return content
        case Round():
            return "(loop.index0 // 2 + 1)"
        case Ending():
            return "eos_token"
        case Special(token=token):
            return json.dumps(token) if token else "eos_token"
        case _:
            return json.dumps(part)
