"""Blocks that Ray gave up, and what is said of them instead of Ray's pages of traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from trm_edge.errors import BackendError, TrmEdgeError

MOST_ERRORS = 8  # blocks that are given up before a run ends
_EXECUTOR = "ray.data._internal.execution.streaming_executor_state"
_CONSOLE = "ray.data"
_OURS = "trm_edge.errors."
_CAUSE = "The above exception was the direct cause of the following exception:"


class LostBlocks(logging.Handler):
    """Collects the errors of blocks that Ray Data leaves out, which it does not hand to its caller.

    Attributes:
        errors: one for each block.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take the error of a block.

        Args:
            record: of Ray Data's executor.
        """
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self.errors.append(error)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Collect until the block ends; meanwhile Ray Data writes to its log file alone."""
        executor = logging.getLogger(_EXECUTOR)
        consoles = []
        for handler in logging.getLogger(_CONSOLE).handlers:
            if not hasattr(handler, "baseFilename") and handler.get_name() == "console":
                consoles.append((handler, handler.level))
                handler.setLevel(logging.CRITICAL + 1)
        executor.addHandler(self)
        try:
            yield
        finally:
            executor.removeHandler(self)
            for handler, level in consoles:
                handler.setLevel(level)


def plain_error(error: BaseException) -> TrmEdgeError:
    """Find what a worker said behind an error of Ray.

    Args:
        error: that Ray raised.

    Returns:
        The error that a worker raised where it is one of ours; else one with the line of its cause.
    """
    raised = raised_error(error)
    if raised is not None:
        return raised
    reason = reason_line(str(error)) or type(error).__name__
    message = our_message(reason)
    if message is not None:
        return BackendError(message)
    return BackendError(
        f"the run with Ray has failed: {reason} What was written before stays; the same command "
        "goes on."
    )


def raised_error(error: BaseException) -> TrmEdgeError | None:
    """Find the error of ours behind an error of Ray.

    Args:
        error: that Ray raised.

    Returns:
        What a worker raised; None where it is none of ours.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, TrmEdgeError):
            return seen
        seen = getattr(seen, "cause", None) or seen.__cause__
    return None


def our_message(reason: str) -> str | None:
    """Take the message out of a line that names one of our errors.

    Args:
        reason: a line, as Python's last one of a traceback.

    Returns:
        The message; None where the error is none of ours.
    """
    name, _, message = reason.partition(": ")
    return message if name.startswith(_OURS) else None


def reason_line(text: str) -> str:
    """Find the line that says why in what Ray says, which may end with advice on Ray's settings.

    Args:
        text: of an error, with tracebacks.

    Returns:
        The line; empty where the text is.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        if line.startswith(_OURS):
            return line
    if _CAUSE in lines:
        lines = lines[: lines.index(_CAUSE)]
    return lines[-1] if lines else ""
