"""An Ollama Modelfile: where the weights are, how a chat is written, where an answer ends.

Ollama writes chats with a template in Go's language. Ours follows from the tokenizer's: it is
rendered with marks in place of the contents, and what stands between the marks is taken over. A
template that treats turns by more than their role cannot be taken over so; it is left out, with a
notice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luciola.export.vocabulary import begins_with_bos, chat_template

log = logging.getLogger(__name__)

Turns = Sequence[Mapping[str, str]]
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Frame:
    """What a template puts around the contents of a role's turns."""

    before: str
    after: str


@dataclass(frozen=True)
class Pattern:
    """A template that looks at nothing but roles.

    Args:
        frames: by role; a template that refuses system messages has none for them.
        answer: what an answer follows on.
        system: the system message that a chat without one gets; empty: none.
    """

    frames: Mapping[str, Frame]
    answer: str
    system: str


def modelfile(file: str, tokenizer: Any, ends: Sequence[str]) -> str:
    """The text of the Modelfile.

    Args:
        file: name of the GGUF file, which lies beside it.
        ends: tokens that end an answer.
    """
    lines = [f"FROM ./{file}"]
    pattern = pattern_of(tokenizer)
    if pattern is not None:
        lines.append(f'TEMPLATE """{go_template(pattern)}"""')
        lines += [f'SYSTEM """{pattern.system}"""'] if pattern.system else []
    elif chat_template(tokenizer):
        log.warning(
            "the chat template does more than Ollama's can be given here: write TEMPLATE yourself"
        )
        lines.append("# TEMPLATE: the model's own does not follow from the roles alone.")
    lines += [f'PARAMETER stop "{end}"' for end in ends]
    return "\n".join(lines) + "\n"


def pattern_of(tokenizer: Any) -> Pattern | None:
    """The pattern of a tokenizer's chat template; None where there is none that explains it."""
    if not chat_template(tokenizer):
        return None
    try:
        frames = _frames(tokenizer)
        pattern = Pattern(frames, _answer(tokenizer), _system(tokenizer, frames))
        return pattern if _explains(pattern, tokenizer) else None
    except Exception:  # templates raise whatever they like
        return None


def go_template(pattern: Pattern) -> str:
    """The pattern in the language of Go's templates."""
    parts = [
        f'{{{{ {"else " * bool(n)}if eq .Role "{role}" }}}}'
        f"{frame.before}{{{{ .Content }}}}{frame.after}"
        for n, (role, frame) in enumerate(pattern.frames.items())
    ]
    return f"{{{{ range .Messages }}}}{''.join(parts)}{{{{ end }}}}{{{{ end }}}}{pattern.answer}"


def _frames(tokenizer: Any) -> dict[str, Frame]:
    """What stands around the marks of a chat of three turns more than of two, role by role."""
    first = _turns("user", "assistant")
    longer = _turns("user", "assistant", "user", "assistant")
    body = _render(tokenizer, longer).removeprefix(_render(tokenizer, first))
    user, rest = body.split("mark2")
    between, end = rest.split("mark3")
    after = _after_user(tokenizer)
    frames = {
        "user": Frame(user, after),
        "assistant": Frame(between.removeprefix(after), end),
    }
    system = _system_frame(tokenizer, frames["user"])
    return {"system": system, **frames} if system is not None else frames


def _after_user(tokenizer: Any) -> str:
    """What follows a user's message before anything is answered."""
    return _render(tokenizer, _turns("user")).split("mark0")[1]


def _system_frame(tokenizer: Any, user: Frame) -> Frame | None:
    try:
        text = _render(tokenizer, _turns("system", "user"))
        before, rest = text.split("mark0")
        after = rest.split("mark1")[0].removesuffix(user.before)
    except Exception:  # the template refuses system messages
        return None
    return Frame(before, after)


def _answer(tokenizer: Any) -> str:
    turns = _turns("user")
    return _render(tokenizer, turns, answer=True).removeprefix(_render(tokenizer, turns))


def _system(tokenizer: Any, frames: Mapping[str, Frame]) -> str:
    """The message that stands before a chat that has no system message of its own."""
    text = _render(tokenizer, _turns("user")).split("mark0")[0].removesuffix(frames["user"].before)
    frame = frames.get("system", Frame("", ""))
    return text.removeprefix(frame.before).removesuffix(frame.after) if text else ""


def _explains(pattern: Pattern, tokenizer: Any) -> bool:
    """Whether the pattern writes some chats, with and without a system message, as the template
    does; and can be written down in a Modelfile at all.
    """
    written = go_template(pattern) + pattern.system
    literal = "".join(frame.before + frame.after for frame in pattern.frames.values())
    if '"""' in written or "{{" in literal + pattern.answer or '"""' in pattern.system:
        return False
    chats = [_turns("user"), _turns("user", "assistant", "user")]
    if "system" in pattern.frames:
        chats.append(_turns("system", "user", "assistant", "user"))
    return all(_write(pattern, chat) == _render(tokenizer, chat, answer=True) for chat in chats)


def _write(pattern: Pattern, turns: Turns) -> str:
    """A chat as Ollama writes it."""
    if pattern.system and turns[0]["role"] != "system":
        turns = [{"role": "system", "content": pattern.system}, *turns]
    frames = [pattern.frames[turn["role"]] for turn in turns]
    body = [f.before + t["content"] + f.after for f, t in zip(frames, turns, strict=True)]
    return "".join(body) + pattern.answer


def _turns(*roles: str) -> list[dict[str, str]]:
    return [{"role": role, "content": f"mark{n}"} for n, role in enumerate(roles)]


def _render(tokenizer: Any, turns: Turns, *, answer: bool = False) -> str:
    """A chat as text; a begin token that is put before every text anyway is left to that."""
    text: str = tokenizer.apply_chat_template(
        list(turns), tokenize=False, add_generation_prompt=answer
    )
    return text.removeprefix(tokenizer.bos_token) if begins_with_bos(tokenizer) else text
