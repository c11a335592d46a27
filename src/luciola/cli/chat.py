"""`luciola chat`: talk to a model on the terminal, ask it once, or answer a file of prompts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luciola.chat.settings import ChatSettings, changed
from luciola.cli.early import check_model
from luciola.cli.flags import Overwrite
from luciola.cli.settings import recipe_command
from luciola.data.summary import counted
from luciola.errors import ConfigError, LuciolaError
from luciola.runs.outputs import check_output

if TYPE_CHECKING:
    from luciola.chat.reply import Reply
    from luciola.chat.session import Session

app = typer.Typer(help="Talk to a model.", add_completion=False)

SETTING = re.compile(r"[A-Za-z_]+=.*", re.DOTALL)
PROMPT, MORE = "> ", ". "
COMMAND = recipe_command(ChatSettings, first="MODEL [QUESTION | -]")


@app.command(cls=COMMAND, short_help="Talk to a model.")
def chat(
    model: Annotated[
        str, typer.Argument(help="Bundled name, folder, run's folder, GGUF file, or hub id.")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(help="A question (- stands for the input), and settings as key=value."),
    ] = None,
    adapter: Annotated[str, typer.Option(help="Folder of an adapter to put on the model.")] = "",
    four_bit: Annotated[
        bool, typer.Option("--four-bit", help="Load the weights in four bits (GPU).")
    ] = False,
    system: Annotated[str, typer.Option(help="System message.")] = "",
    file: Annotated[str, typer.Option(help="JSONL of prompts or messages to answer.")] = "",
    out: Annotated[str, typer.Option(help="Where the answers to --file go, as JSONL.")] = "",
    template: Annotated[str, typer.Option(help="Jinja file of a chat template.")] = "",
    plain: Annotated[bool, typer.Option("--plain", help="Continue texts, without turns.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run Python code of the model.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Talk to a model: luciola chat MODEL, or luciola chat MODEL "a question" temperature=0."""
    question, given = sort_words(words or [])
    settings = changed(ChatSettings(), given)
    if bool(file) != bool(out) or (file and question):
        raise ConfigError(
            "--file and --out go together, without a question",
            remedy="luciola chat MODEL --file prompts.jsonl --out answers.jsonl",
        )
    read = (file, model, adapter, template)
    output = check_output(out, inputs=read, overwrite=overwrite) if out else None
    check_model(model)
    from luciola.chat.files import read_prompts
    from luciola.chat.session import Session

    prompts = read_prompts(Path(file), system) if file else []
    from luciola.chat.loading import Wanted, load_chat

    wanted = Wanted(model, adapter, four_bit, device, template, plain, trust_remote_code)
    loaded, own = load_chat(wanted)
    settings = changed(own, given)
    loaded.check(settings)
    if output:
        from luciola.chat.files import answer_file

        note(str(answer_file(loaded, prompts, output, settings, progress_on_stderr())))
        return
    session = Session(loaded, settings, system)
    if question is not None:
        ask_once(session, question)
    else:
        Console(session, sys.stdin.isatty()).run(model)


def sort_words(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The question, in which `-` is the input's text, and the settings."""
    settings = [word for word in words if SETTING.fullmatch(word)]
    others = [word for word in words if not SETTING.fullmatch(word)]
    question = "\n".join(sys.stdin.read().strip() if word == "-" else word for word in others)
    if others and not question.strip():
        raise ConfigError("the question is empty", remedy='luciola chat MODEL "a question"')
    return (question if others else None), settings


def ask_once(session: Session, question: str) -> None:
    """One answer on stdout; its figures on stderr."""
    reply = session.ask(question, say)
    sys.stdout.write("\n")
    report(reply)
    if reply.finish == "interrupted":
        raise KeyboardInterrupt


class Console:
    """Reads lines and answers them: typed by a person, or from a pipe.

    Args:
        session: the conversation.
        is_terminal: show a prompt, and go on after mistakes.
    """

    def __init__(self, session: Session, is_terminal: bool) -> None:
        self.session = session
        self.is_terminal = is_terminal

    def run(self, name: str) -> None:
        """Until /quit, Ctrl-D or the end of the input."""
        if self.is_terminal:
            with suppress(ImportError):
                import readline  # noqa: F401  # lines can be edited and called back
            note(f"{name}. /help lists the commands; a line that ends in \\ goes on; Ctrl-D ends.")
        while True:
            try:
                line = self._line()
                if line is None or self._handle(line):
                    return
            except KeyboardInterrupt:
                if not self.is_terminal:
                    raise
                note("\n(Ctrl-D or /quit ends)")
            except LuciolaError as error:
                if not self.is_terminal:
                    raise
                note(f"error: {error}")

    def _line(self) -> str | None:
        """The next message; None at the end of the input."""
        parts: list[str] = []
        while True:
            part = self._read(MORE if parts else PROMPT)
            if part is None:
                return "\n".join(parts) if parts else None
            if not part.endswith("\\"):
                return "\n".join([*parts, part])
            parts.append(part[:-1])

    def _read(self, prompt: str) -> str | None:
        if not self.is_terminal:
            line = sys.stdin.readline()
            return line.rstrip("\n") if line else None
        try:
            return input(prompt)
        except EOFError:
            print()
            return None

    def _handle(self, line: str) -> bool:
        """Answer a line; True where it ended the session."""
        from luciola.chat.commands import perform

        if not line.strip():
            return False
        if not line.startswith("/") or line.startswith("//"):
            text = line[1:] if line.startswith("//") else line
            self._show(self.session.ask(text, say))
            return False
        outcome = perform(line, self.session, say)
        if outcome.reply is not None:
            self._show(outcome.reply)
        elif outcome.words:
            note(outcome.words)
        return outcome.is_over

    def _show(self, reply: Reply) -> None:
        sys.stdout.write("\n")
        sys.stdout.flush()
        report(reply)
        if reply.finish == "interrupted" and not self.is_terminal:
            raise KeyboardInterrupt


def say(text: str) -> None:
    """A piece of an answer, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def note(text: str) -> None:
    """Anything that is no answer goes to stderr, so that answers can be piped."""
    print(text, file=sys.stderr)


def report(reply: Reply) -> None:
    """How long the answer took, why it ended, and what of the conversation it did not see."""
    if reply.left_out:
        oldest = counted(reply.left_out, "oldest turn")
        was = "was" if reply.left_out == 1 else "were"
        note(f"(the context is full: the {oldest} {was} not seen)")
    why = {"length": ", cut off: max_new_tokens or the context", "interrupted": ", interrupted"}
    first = f", first after {reply.first:.1f} s" if reply.first else ""
    ending = f"{first}{why.get(reply.finish, '')}"
    note(f"({counted(reply.tokens, 'token')}, {reply.speed:.1f} tokens/s{ending})")


def progress_on_stderr() -> Callable[[int, int], None]:
    """Tells how many rows are answered."""
    return lambda done, total: note(f"{done:,} of {total:,}")
