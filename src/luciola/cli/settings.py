"""Commands that take a recipe: `[RECIPE.yaml] key=value ...`, with every setting in their help."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

from typer.core import TyperCommand

from luciola.config.names import nearest
from luciola.config.settings import Setting, describe
from luciola.errors import ConfigError

EXAMPLE = "lr=3e-4"
WIDEST = 120
HELP_ALL = "--help-all"


def recipe_command(
    recipe_class: type[Any], *, first: str = "[RECIPE.yaml]", common: Collection[str] = ()
) -> type[TyperCommand]:
    """The command class of a verb whose settings are those of `recipe_class`.

    Args:
        first: what may stand before the settings, for the help.
        common: the settings that --help lists beside the required ones, --help-all listing all;
            empty: --help lists all.
    """

    class RecipeCommand(TyperCommand):
        """Lists the settings in its help; where a flag is unknown, offers the setting."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            if common and HELP_ALL in args:
                ctx.meta[HELP_ALL] = True
                args = ["--help"]
            try:
                return super().parse_args(ctx, args)
            except Exception as error:
                flag = getattr(error, "option_name", None)
                flags = [flag for option in self.params for flag in option.opts]
                if type(error).__name__ != "NoSuchOption" or near(str(flag), flags):
                    raise
                raise unknown_flag(recipe_class, str(flag), ctx.command_path) from None

        def collect_usage_pieces(self, ctx: Any) -> list[str]:
            return [first, "[SETTING=VALUE]...", "[OPTIONS]"]

        def format_epilog(self, ctx: Any, formatter: Any) -> None:
            width = min(get_terminal_size().columns, WIDEST)
            shown = () if ctx.meta.get(HELP_ALL) else common
            lines = settings_help(recipe_class, width, shown)
            if shown:
                lines += ["", f"All settings: {ctx.command_path} {HELP_ALL}"]
            formatter.write("\n" + "\n".join(lines) + "\n")

    return RecipeCommand


def near(flag: str, flags: Sequence[str]) -> bool:
    """Whether a flag is a misspelling or the beginning of one of the command's own flags."""
    is_beginning = len(flag) > 3 and any(known.startswith(flag) for known in flags)
    return is_beginning or bool(get_close_matches(flag, flags, n=1, cutoff=0.75))


def unknown_flag(recipe_class: type[Any], flag: str, command: str) -> ConfigError:
    """The error for a flag that does not exist, with the setting that was probably meant."""
    name = nearest(recipe_class, flag.lstrip("-"))
    example = f"{name}=…" if name else EXAMPLE
    meant = f"Did you mean {name}? " if name else ""
    remedy = f"{meant}Settings are written {example}, without dashes."
    return ConfigError(f"{command}: there is no flag {flag}", remedy=remedy)


def split_words(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The recipe and the `key=value` settings among the words of a command.

    Raises: ConfigError where a word is neither, or where there are two recipes.
    """
    recipes = [word for word in words if _is_recipe(word)]
    settings = [word for word in words if not _is_recipe(word)]
    for word in settings:
        if "=" not in word:
            remedy = f"Settings are written {EXAMPLE}; a recipe ends in .yaml."
            raise ConfigError(f"{word!r} is neither a setting nor a recipe", remedy=remedy)
    if len(recipes) > 1:
        raise ConfigError(f"two recipes are given: {recipes[0]} and {recipes[1]}")
    return Path(recipes[0]) if recipes else None, settings


def _is_recipe(word: str) -> bool:
    if "=" in word:
        return Path(word).is_file()
    return Path(word).suffix in (".yaml", ".yml", ".json") or Path(word).exists()


def settings_help(recipe_class: type[Any], width: int, common: Collection[str] = ()) -> list[str]:
    """Settings with their defaults and help, in lines of at most `width` characters.

    Args:
        common: names of those wanted beside the required ones; empty: all.
    """
    settings = [s for s in describe(recipe_class) if not common or s.required or s.name in common]
    column = max(len(_with_default(setting)) for setting in settings) + 2
    lines = ["Settings that most runs look at:" if common else "Settings:"]
    for setting, before in zip(settings, [settings[0], *settings], strict=False):
        if setting.group != before.group and not common:
            lines.append("")
        lines += _entry(setting, column, width)
    return lines


def _entry(setting: Setting, column: int, width: int) -> list[str]:
    text = wrap(setting.help + setting.choices_text, max(width - column - 2, 30))
    heads = [_with_default(setting), *[""] * (len(text) - 1)]
    return [f"  {head:{column}}{line}" for head, line in zip(heads, text, strict=True)]


def _with_default(setting: Setting) -> str:
    return f"{setting.name}={'…' if setting.required else _short(setting.default)}"


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(_short, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
