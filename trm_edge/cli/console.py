"""How the command line writes: the library's log as lines on standard error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class ConsoleHandler(logging.Handler):
    """Prints log records as plain lines; warnings say that they are."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record.

        Args:
            record: what was logged.
        """
        from rich.console import Console

        prefix = "Warning: " if record.levelno >= logging.WARNING else ""
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        console.print(f"{prefix}{self.format(record)}", markup=False)


@contextmanager
def logs_on_stderr() -> Iterator[None]:
    """Show what the library logs for as long as a command runs."""
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
