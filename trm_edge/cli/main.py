"""The group: commands load on first use, and library errors become exit codes here alone."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from trm_edge import __version__
from trm_edge.cli.console import logs_on_stderr
from trm_edge.errors import TrmEdgeError

# Where each command lives; none is imported before it is called.
COMMANDS = {
    "export": "trm_edge.cli.export",
    "solve": "trm_edge.cli.solve",
    "parity": "trm_edge.cli.parity",
    "bench": "trm_edge.cli.bench",
    "regress": "trm_edge.cli.regress",
    "report": "trm_edge.cli.report",
    "inspect": "trm_edge.cli.inspect",
    "build": "trm_edge.cli.build",
    "targets": "trm_edge.cli.targets",
    "doctor": "trm_edge.cli.doctor",
}
_HELP = {
    "export": "Turn a trained checkpoint into a bundle.",
    "solve": "Solve puzzles with a bundle.",
    "parity": "Hold a bundle to its own float32 answers.",
    "bench": "Measure bundles side by side: accuracy, latency, memory, energy.",
    "regress": "Fail where a bundle became slower or wronger.",
    "report": "Draw bundles on one HTML page: accuracy, latency, a puzzle step by step.",
    "inspect": "Say what is in a bundle.",
    "build": "Compile an engine, on the device it is for.",
    "targets": "List the devices that there are graphs for, or explain one.",
    "doctor": "Say what this machine can do, and why.",
}


class LazyGroup(click.Group):
    """Loads a command's module when it is run, so that --help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_HELP.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with logs_on_stderr():
                return super().invoke(ctx)
        except TrmEdgeError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="trm-edge")
def cli() -> None:
    """Take a trained Tiny Recursive Model to where it is used.

    \b
    trm-edge export --int8 -o my-bundle     the bundled Sudoku model, in INT8
    trm-edge solve my-bundle puzzles.txt    one puzzle a line
    trm-edge parity my-bundle               is it still the same model?
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit code 0 done, 1 failed, 2 misused."""
    try:
        cli.main(args=list(arguments) if arguments is not None else None, prog_name="trm-edge")
    except BrokenPipeError:
        # The reader left (`trm-edge solve ... | head`): end quietly, as a filter does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
