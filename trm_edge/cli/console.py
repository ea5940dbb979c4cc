"""What the command line prints: tables, lines and the library's log.

Names come from bundles, baselines and folders that others made. None of them is read as rich's
markup, and what a terminal or GitHub Actions would obey is escaped, whatever is printed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from trm_edge.console import error_console, plain_console
from trm_edge.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 80  # columns where standard output is no terminal
MIN_WIDTH = 40  # columns below which lines are left to the terminal


def echo(text: str, *, err: bool = False) -> None:
    """Print a line that may hold names from files.

    Args:
        text: the line.
        err: on standard error.
    """
    click.echo(printable(text, lines=True), err=err)


class ConsoleHandler(logging.Handler):
    """Prints log records as plain lines, above the bars where there are some.

    Those of warnings begin with "Warning:", those for debugging with the module's name.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record.

        Args:
            record: of any logger below ``trm_edge``.
        """
        prefix = ""
        if record.levelno >= logging.WARNING:
            prefix = "Warning: "
        elif record.levelno < logging.INFO:
            prefix = f"{record.name}: "
        error_console().print(f"{prefix}{self.format(record)}", soft_wrap=True)


@contextmanager
def logs_on_stderr() -> Iterator[None]:
    """Show the library's log on stderr until the block ends: INFO and above, if nothing is set."""
    logger = logging.getLogger("trm_edge")
    handler = ConsoleHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def stdout_console() -> Console:
    """Create the console for what commands print on standard output.

    A terminal has its own width. A pipe, a file and a CI log have ``PIPE_WIDTH`` columns, the same
    on every machine; the environment variable ``COLUMNS`` overrides both.
    """
    console = plain_console()
    columns = os.environ.get("COLUMNS", "")
    if not columns.isdigit() and not console.is_terminal:
        console.width = PIPE_WIDTH
    console.width = max(console.width, MIN_WIDTH)
    return console
