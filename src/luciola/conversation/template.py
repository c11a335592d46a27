"""A tokenizer's chat template, one from a Jinja file, or one of Firefly's, as text.

Rendering goes through the tokenizer's own `apply_chat_template`, so that the text is what every
other program that serves the model renders too. Left out: tools and documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luciola.conversation.firefly.formats import SCHEME
from luciola.conversation.firefly.source import jinja_source
from luciola.errors import TemplateError
from luciola.types import Message, Origin

NOWHERE = Origin()


class ChatTemplate:
    """Renders messages as text.

    Args:
        tokenizer: a transformers tokenizer.
        path: a Jinja file, or firefly:NAME, to use instead of the tokenizer's own template; empty:
            the tokenizer's own.

    Raises: TemplateError if the file cannot be read or is no Jinja template.
    """

    def __init__(self, tokenizer: Any, path: str = "") -> None:
        self.tokenizer = tokenizer
        self.path = path
        self._source = load_template(path) if path else None
        self._marks = special_texts(tokenizer)

    @property
    def name(self) -> str:
        """What to call the template in a message to the user."""
        return (
            self.path or f"the chat template of {self.tokenizer.name_or_path or 'this tokenizer'}"
        )

    def text(self, messages: Sequence[Message], *, prompt: bool, origin: Origin = NOWHERE) -> str:
        """The messages as text; with `prompt` up to where the assistant's answer begins.

        Raises: TemplateError if there is no template, or it refuses these messages.
        """
        from jinja2.exceptions import TemplateError as JinjaError

        if self._source is None and not self.tokenizer.chat_template:
            raise self._missing()
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            text = self.tokenizer.apply_chat_template(
                turns, chat_template=self._source, tokenize=False, add_generation_prompt=prompt
            )
        except (JinjaError, ValueError, TypeError) as error:
            raise self._refused(messages, origin, error) from error
        return str(text)

    def answer_end(self, text: str) -> int:
        """Length in characters of `text` up to the end of its last turn's end mark.

        White space after an end mark that is a special token belongs to the template, not to the
        answer. A
        template without such a mark ends its turns in white space or in nothing: all of it counts.
        """
        stripped = text.rstrip()
        return len(stripped) if stripped.endswith(self._marks) else len(text)

    def _missing(self) -> TemplateError:
        name = self.tokenizer.name_or_path or "this model"
        return TemplateError(
            f"the tokenizer of {name} has no chat template, so conversations cannot be rendered",
            remedy="Name one with template=FILE.jinja, take the -Instruct variant of the model, or "
            "train on prompt/completion or plain text rows, which need no template.",
        )

    def _refused(
        self, messages: Sequence[Message], origin: Origin, error: Exception
    ) -> TemplateError:
        roles = ", ".join(message.role for message in messages)
        where = f"{origin}: " if origin.path else ""
        return TemplateError(
            f"{where}{self.name} refuses a conversation of {roles}: {error}",
            remedy="Change its turns, or name another template with template=FILE.jinja.",
        )


def load_template(path: str) -> str:
    """The source of a Jinja file, checked for syntax, or of firefly:NAME.

    Raises: TemplateError if it cannot be read or parsed.
    """
    from jinja2 import Environment
    from jinja2.exceptions import TemplateSyntaxError

    if path.startswith(SCHEME):
        return jinja_source(path.removeprefix(SCHEME))

    try:
        source = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(
            f"template={path}: cannot be read ({error})", remedy="Name a Jinja file, UTF-8 encoded."
        ) from error
    environment = Environment(extensions=["jinja2.ext.loopcontrols"])
    try:
        environment.parse(source.replace("{% generation %}", "").replace("{% endgeneration %}", ""))
    except TemplateSyntaxError as error:
        raise TemplateError(f"{path}:{error.lineno}: not a Jinja template: {error}") from error
    return source


def special_texts(tokenizer: Any) -> tuple[str, ...]:
    """The texts that the tokenizer reads as one special token each, such as `<|im_end|>`."""
    added = (str(t) for t in tokenizer.added_tokens_decoder.values() if getattr(t, "special", True))
    return tuple({text for text in (*added, *tokenizer.all_special_tokens) if text.strip()})
