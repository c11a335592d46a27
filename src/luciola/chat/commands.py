"""What a line that begins with `/` does to a conversation. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from luciola.chat.reply import Reply, Tell
from luciola.chat.session import Session
from luciola.chat.settings import changed, listing
from luciola.data.summary import counted
from luciola.errors import ConfigError


@dataclass(frozen=True)
class Outcome:
    """What a command led to: words for the user, an answer of the model, or the end."""

    words: str = ""
    reply: Reply | None = None
    is_over: bool = False


OVERWRITE = " --overwrite"
BEFORE_SETTING = re.compile(r"\s+(?=[A-Za-z_]+=)")
"""Between two settings on a line, whose values may hold spaces."""
Run = Callable[[Session, str, Tell], Outcome]


@dataclass(frozen=True)
class Command:
    """One command: what follows its name, a line of help, and what it does."""

    argument: str
    help: str
    run: Run


def perform(line: str, session: Session, tell: Tell) -> Outcome:
    """Do what a line such as `/set temperature=0` says.

    Args:
        tell: called with the text of an answer as it comes.

    Raises: ConfigError for a command that there is none of; what the command raises.
    """
    name, _, argument = line.strip().partition(" ")
    if name not in COMMANDS:
        begun = [known for known in COMMANDS if known.startswith(name) and len(name) > 1]
        near = begun or get_close_matches(name, COMMANDS, n=1)
        meant = f"Did you mean {near[0]}?" if near else "/help lists them."
        doubled = f"/{line.strip()[:20]}"
        raise ConfigError(
            f"there is no command {name}",
            remedy=f"{meant} A message that begins with / is written with two: {doubled}",
        )
    return COMMANDS[name].run(session, argument.strip(), tell)


def _set(session: Session, argument: str, tell: Tell) -> Outcome:
    words = BEFORE_SETTING.split(argument) if argument else []
    settings = changed(session.settings, words)
    session.model.check(settings)
    session.settings = settings
    return Outcome(listing(settings) if not words else settings.strategy)


def _system(session: Session, argument: str, tell: Tell) -> Outcome:
    if not argument:
        return Outcome(f"system: {session.system or '(none of its own)'}")
    session.system = "" if argument in ("-", '""') else argument
    return Outcome("system message set" if session.system else "system message removed")


def _reset(session: Session, argument: str, tell: Tell) -> Outcome:
    count = len(session.turns)
    session.reset()
    return Outcome(f"forgot {counted(count, 'turn')}")


def _save(session: Session, argument: str, tell: Tell) -> Outcome:
    name = argument.removesuffix(OVERWRITE).rstrip()
    path = _path(name, "/save")
    session.save(path, overwrite=name != argument)
    return Outcome(f"saved {counted(len(session.turns), 'turn')} to {path}")


def _load(session: Session, argument: str, tell: Tell) -> Outcome:
    path = _path(argument, "/load")
    session.load(path)
    return Outcome(f"{counted(len(session.turns), 'turn')} from {path}")


def _path(argument: str, command: str) -> Path:
    if not argument:
        raise ConfigError(f"{command} needs the name of a file", remedy=f"{command} chat.jsonl")
    return Path(argument).expanduser()


def _regenerate(session: Session, argument: str, tell: Tell) -> Outcome:
    return Outcome(reply=session.regenerate(tell))


def _history(session: Session, argument: str, tell: Tell) -> Outcome:
    return Outcome("\n".join(f"{turn.role}: {turn.content}" for turn in session.messages))


def _help(session: Session, argument: str, tell: Tell) -> Outcome:
    heads = {f"{name} {command.argument}".strip(): command for name, command in COMMANDS.items()}
    width = max(map(len, heads)) + 2
    return Outcome("\n".join(f"{head:{width}}{command.help}" for head, command in heads.items()))


def _quit(session: Session, argument: str, tell: Tell) -> Outcome:
    return Outcome(is_over=True)


COMMANDS = {
    "/set": Command("[KEY=VALUE ...]", "Change settings, or show them all.", _set),
    "/regenerate": Command("", "Answer the last question again.", _regenerate),
    "/system": Command("[TEXT]", "Show or set the system message; - removes it.", _system),
    "/history": Command("", "Show what was said.", _history),
    "/reset": Command("", "Forget what was said.", _reset),
    "/save": Command("FILE [--overwrite]", "Write the conversation to a file.", _save),
    "/load": Command("FILE", "Go on with a saved conversation.", _load),
    "/help": Command("", "Show this.", _help),
    "/quit": Command("", "End; so does Ctrl-D.", _quit),
}
"""Every command by its name."""
