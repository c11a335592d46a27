"""How a command ends: one clear last sentence for a mistake or a limit, a trace for our own bug.

Exit statuses: 2 for a mistake in a recipe, setting or flag; 1 for the other LuciolaErrors, and
in silence when the reader of our output has gone (`| head`); 130 after Ctrl-C.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import typer

from luciola.cli.terminal import bounded
from luciola.errors import ConfigError, LuciolaError, StorageError

# typer carries a copy of click in newer releases and imports click itself in older ones.
UsageError, ClickException = typer.BadParameter.__mro__[1:3]
INTERRUPTED = 130
READER_GONE = 1
SYMBOL = "  → "


class Ended(Exception):  # noqa: N818  # no error: the command has said its last words
    """The command is over and has said why; `status` is its exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def run_clearly(command: Callable[[], int], *, debug: bool) -> int:
    """Run a command and return its exit status; print the last sentence where it fails."""
    try:
        return command()
    except Ended as ended:
        return ended.status
    except BrokenPipeError:
        _discard_output()
        return READER_GONE
    except (KeyboardInterrupt, typer.Abort):
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a command that was given nothing at all
            print(error.ctx.get_help())  # type: ignore[attr-defined]
            return 0
        known = as_luciola_error(error)
        if known is None:
            raise
        if debug:
            traceback.print_exc()
        print(f"error: {bounded(known.message)}", file=sys.stderr)
        if known.remedy:
            print(SYMBOL + bounded(known.remedy), file=sys.stderr)
        return known.exit_status


def as_luciola_error(error: Exception) -> LuciolaError | None:
    """The error as one that a user can act on; None for what can only be our own bug."""
    if isinstance(error, LuciolaError):
        return error
    if isinstance(error, ClickException):
        return _usage(error)
    if isinstance(error, MemoryError) or _is_torch_out_of_memory(error):
        return LuciolaError("out of memory", remedy=_less_memory(error))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        return StorageError(f"the disk is full{where}", remedy="Free some space and run it again.")
    return None


def _usage(error: Any) -> ConfigError:
    """A mistake in the command's own words and flags."""
    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "luciola"
    message = error.format_message().rstrip(".?")
    meant = sorted(getattr(error, "possibilities", None) or [])
    if type(error).__name__ == "NoSuchOption":
        message = f"there is no flag {error.option_name}"
    elif message.startswith("No such command"):
        word = message.split("'")[1]
        message = f"there is no command {word!r}"
        meant = get_close_matches(word, context.command.list_commands(context), n=1)
    remedy = f"Did you mean {' or '.join(meant)}?" if meant else f"{command} --help says more."
    return ConfigError(f"{command}: {message[:1].lower()}{message[1:]}", remedy=remedy)


def _is_torch_out_of_memory(error: Exception) -> bool:
    """Whether torch ran out of memory; on the CPU it says so in words only."""
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and isinstance(error, torch.OutOfMemoryError)
    return on_gpu or (isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error))


def _less_memory(error: Exception) -> str:
    detail = f"({str(error).splitlines()[0]:.200}) " if str(error) else ""
    return f"{detail}A smaller micro_tokens or max_length needs less; so does checkpointing=true."


def _discard_output() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not fail too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
