"""What all commands have in common: ``--verbose``, ``--quiet`` and the exit codes in their help."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from textwrap import wrap
from typing import Any

import click

_LEVEL = "trm_edge.level"  # key in the context's shared dictionary
_EPILOG_WIDTH = 78  # columns; click indents an epilog by two


def exit_codes(done: str = "done", failed: str = "failed") -> str:
    """Write the paragraph about exit codes for a command's help.

    Args:
        done: meaning of 0.
        failed: meaning of 1.
    """
    meanings = {
        "0": done,
        "1": failed,
        "2": "misused: an unknown option, or options that do not go together",
        "130": "interrupted by Ctrl-C; 143: ended by SIGTERM",
    }
    return exit_code_list(meanings)


def exit_code_list(meanings: Mapping[str, str]) -> str:
    """Write a list of exit codes for a help of 80 columns.

    Args:
        meanings: meaning by code, in order.
    """
    lines = ["\b", "Exit codes:"]
    for code, meaning in meanings.items():
        lines += wrap(
            meaning, _EPILOG_WIDTH, initial_indent=f"  {code:<5}", subsequent_indent=" " * 7
        )
    return "\n".join(lines)


class Command(click.Command):
    """A command with the options that every command has.

    Args:
        options: of ``click.Command``; by default the epilog is that of :func:`exit_codes`.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("epilog", exit_codes())
        super().__init__(**options)
        self.params += [
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                expose_value=False,
                callback=_set_verbose,
                help="Also print what helps to find the cause of a problem.",
            ),
            click.Option(
                ["-q", "--quiet"],
                is_flag=True,
                expose_value=False,
                callback=_set_quiet,
                help="Print results and errors only: no progress, notes or warnings.",
            ),
        ]


class CommandGroup(Command, click.Group):
    """A command that has commands of its own."""


def is_quiet() -> bool:
    """Tell whether ``--quiet`` is in force."""
    return logging.getLogger("trm_edge").level > logging.WARNING


def is_verbose() -> bool:
    """Tell whether ``--verbose`` is in force."""
    return logging.getLogger("trm_edge").level == logging.DEBUG


def _set_verbose(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        _set_level(context, logging.DEBUG)


def _set_quiet(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        _set_level(context, logging.ERROR)


def _set_level(context: click.Context, level: int) -> None:
    """Set what the library's log shows; the group sets it back when the command ends.

    Raises:
        UsageError: the other option set another level.
    """
    if context.meta.setdefault(_LEVEL, level) != level:
        raise click.UsageError("Pass either --verbose or --quiet, not both.", context)
    logging.getLogger("trm_edge").setLevel(level)
