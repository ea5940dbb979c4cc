"""The command line's log: the library's log records as lines on standard error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class ConsoleHandler(logging.Handler):
    """Prints log records as plain lines; those of warnings begin with "Warning:"."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record.

        Args:
            record: of any logger below ``trm_edge``.
        """
        from rich.console import Console

        prefix = "Warning: " if record.levelno >= logging.WARNING else ""
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"{prefix}{self.format(record)}", markup=False)


@contextmanager
def logs_on_stderr() -> Iterator[None]:
    """Show the library's log on stderr, INFO and above, until the block ends."""
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


def table_console(min_width: int = 100) -> Console:
    """Create a console for tables on standard output.

    Args:
        min_width: columns where standard output is not a terminal, so that a pipe or file gets
            whole cells; a terminal has its own width.
    """
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(min_width, console.width)
    return console
