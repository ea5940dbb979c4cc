"""The command group: loads a command on first use, and turns our errors into exit codes."""

from __future__ import annotations

import ast
import importlib
import logging
import sys
from collections.abc import Sequence
from importlib import resources
from typing import Any

import click

from trm_edge import __version__
from trm_edge.cli.command import exit_code_list
from trm_edge.cli.console import logs_on_stderr
from trm_edge.cli.streams import (
    flush_failure,
    is_descriptor_shortage,
    is_output_failure,
    open_closed_descriptors,
    require_standard_output,
    say,
)
from trm_edge.errors import TrmEdgeError
from trm_edge.interrupts import exit_code, signals_raise
from trm_edge.printable import printable
from trm_edge.suggestions import did_you_mean

logger = logging.getLogger(__name__)

_LESS_MEMORY = "Use fewer slots (--batch), fewer steps (--max-steps), or a machine with more."

# The commands, in the order of --help; each is the `command` of trm_edge/cli/NAME.py.
COMMANDS = (
    "export",
    "config",
    "data",
    "adapt",
    "solve",
    "serve",
    "vote",
    "score",
    "parity",
    "bench",
    "regress",
    "report",
    "page",
    "inspect",
    "build",
    "targets",
    "doctor",
)

_EPILOG = exit_code_list(
    {
        "0": "done",
        "1": "failed; parity and regress: a limit is broken, or something regressed",
        "2": "misused: an unknown option, or options that do not go together",
        "3": "regress: no verdict, as with a missing baseline or a damaged bundle",
        "4": "regress: inconclusive, because of noise or too few puzzles",
        "130": "interrupted by Ctrl-C; 143: ended by SIGTERM",
    }
)


class LazyGroup(click.Group):
    """A group that imports a command's module when it is run, so that --help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names of all commands.

        Args:
            ctx: of this call.
        """
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command.

        Args:
            ctx: of this call.
            cmd_name: as the user wrote it.

        Returns:
            The command, or None where there is none of that name.
        """
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"trm_edge.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names.

        Args:
            ctx: of this call.
            args: from the command's name on.

        Raises:
            UsageError: there is none of that name; suggests the closest.
        """
        name = args[0]
        if name in COMMANDS or ctx.resilient_parsing or name.startswith("-"):
            return super().resolve_command(ctx, args)
        hint = did_you_mean(name, COMMANDS) or f" The commands are {', '.join(COMMANDS)}."
        raise click.UsageError(f"No such command {printable(name)!r}.{hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands and their short helps, without importing them.

        Args:
            ctx: of this call.
            formatter: takes the text.
        """
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help(name)) for name in COMMANDS])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; its log goes to stderr and our errors become exit code 1.

        Args:
            ctx: of this call.

        Raises:
            ClickException: with the message of a TrmEdgeError.
        """
        try:
            with logs_on_stderr():
                try:
                    return super().invoke(ctx)
                except TrmEdgeError:
                    logger.debug("the error came from:", exc_info=True)
                    raise
        except TrmEdgeError as error:
            raise click.ClickException(str(error)) from error


def short_help(name: str) -> str:
    """Read the first line of a command's docstring from its source, without importing it.

    Args:
        name: of the command.
    """
    source = resources.files("trm_edge.cli").joinpath(f"{name}.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == "command":
            return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


@click.group(
    cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, "-V", "--version", prog_name="trm-edge")
def cli() -> None:
    """Deploy trained Tiny Recursive Models.

    \b
    trm-edge export --int8 -o my-bundle     export the bundled Sudoku model in INT8
    trm-edge solve my-bundle puzzles.txt    solve puzzles, one a line
    trm-edge parity my-bundle               compare its answers with float32
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 misused; see the group's help for others.

    Args:
        arguments: without the program's name; those of the process by default.
    """
    open_closed_descriptors()
    args = None if arguments is None else list(arguments)
    code = _run(args)
    failure = flush_failure()
    if failure is not None:
        code = code or _report_failed_output(failure)
    sys.exit(code)


def _run(args: list[str] | None) -> int:
    """Run a command; return its exit code. Errors that are nobody's fault but ours come out."""
    try:
        require_standard_output()
        with signals_raise():
            code = cli.main(args=args, prog_name="trm-edge", standalone_mode=False)
    except SystemExit as error:
        return _exit_code(error)
    except TrmEdgeError as error:
        say(printable(str(error), lines=True))
        return 1
    except click.ClickException as error:
        return _show(error)
    except click.Abort as error:
        return _show_abort(error.__cause__)
    except KeyboardInterrupt as error:  # at a moment when click does not look
        return _show_abort(error)
    except MemoryError as error:
        detail = str(error).rstrip(".")
        say(f"not enough memory{': ' if detail else ''}{printable(detail)}. {_LESS_MEMORY}")
        return 1
    except (OSError, ImportError) as error:
        if is_descriptor_shortage(error):
            say("too many open files. Raise the limit with: ulimit -n 1024, or close others.")
            return 1
        flush_failure()
        if not is_output_failure(error):
            raise
        return _report_failed_output(error)
    return code if isinstance(code, int) else 0


def _exit_code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    say(str(error.code))
    return 1


def _show(error: click.ClickException) -> int:
    try:
        error.show()
    except OSError:  # standard error is full, or its reader has left
        flush_failure()
    return error.exit_code


def _show_abort(cause: BaseException | None) -> int:
    try:
        click.echo("Aborted!", err=True)
    except OSError:
        flush_failure()
    return exit_code(cause)


def _report_failed_output(error: Exception) -> int:
    """Say why standard output cannot be written; a reader that has left (``| head``) knows."""
    if not isinstance(error, BrokenPipeError):
        reason = error.strerror if isinstance(error, OSError) else None
        say(f"the output cannot be written: {reason or error}.")
    return 1
