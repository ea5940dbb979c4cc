"""Standard streams that are closed, full, or whose reader has left: a sentence, not a traceback."""

from __future__ import annotations

import errno
import os
import sys
from typing import TextIO

import click

from trm_edge.errors import OutputError
from trm_edge.files import is_write_error

_SHORTAGES = (errno.EMFILE, errno.ENFILE)


def require_standard_output() -> None:
    """Refuse to begin where nothing could be printed.

    Raises:
        OutputError: standard output is closed.
    """
    if sys.stdout is None:
        raise OutputError(
            "standard output is closed: there is nowhere to write to. Redirect it to a file or to "
            "/dev/null."
        )


def open_closed_descriptors() -> None:
    """Open /dev/null in place of standard streams that are closed.

    The next file that is opened would take their number otherwise, and a library that writes
    warnings to the descriptor of standard error would write into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def flush_failure() -> OSError | None:
    """Write what standard output still holds, and return the error if that fails.

    Nothing is held afterwards: where it cannot be written it is given up, since the interpreter
    would try again at its end.
    """
    failure: OSError | None = None
    for stream in (sys.stderr, sys.stdout):
        error = _flush(stream)
        if stream is sys.stdout:
            failure = error
    return failure


def say(message: str) -> None:
    """Print an error on standard error, if that is possible.

    Args:
        message: a sentence.
    """
    try:
        click.echo(f"Error: {message}", err=True)
    except OSError:
        _discard(sys.stderr)


def is_output_failure(error: BaseException) -> bool:
    """Tell whether an error came of writing to a standard stream.

    Files are written by functions that raise errors of their own.

    Args:
        error: of any type.
    """
    if not isinstance(error, OSError) or error.filename is not None:
        return False
    return isinstance(error, BrokenPipeError) or error.errno == errno.EIO or is_write_error(error)


def is_descriptor_shortage(error: BaseException) -> bool:
    """Tell whether an error came of too many open files, however a library words it.

    Args:
        error: of any type; its causes are looked at too.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _SHORTAGES:
            return True
        # The dynamic loader's, when an extension module is imported.
        if isinstance(cause, ImportError) and os.strerror(errno.EMFILE) in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _flush(stream: TextIO | None) -> OSError | None:
    if stream is None or stream.closed:
        return None
    try:
        stream.flush()
    except OSError as error:
        _discard(stream)
        return error
    return None


def _discard(stream: TextIO | None) -> None:
    """Send what is still buffered nowhere."""
    try:
        if stream is not None:
            handle = os.open(os.devnull, os.O_WRONLY)
            os.dup2(handle, stream.fileno())
            os.close(handle)
            stream.flush()
    except (OSError, ValueError):
        return
