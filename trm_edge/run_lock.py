"""Keeps a second process out of the folder of a run; the kernel drops the lock with the process."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from trm_edge.errors import OutputError
from trm_edge.files import error_reason

if sys.platform != "win32":
    import fcntl

LOCK_NAME = ".lock"
_BUSY = (errno.EWOULDBLOCK, errno.EACCES)


@contextmanager
def only_process_in(folder: Path) -> Iterator[None]:
    """Lock a folder until the block ends; a file system without locks is used without.

    Args:
        folder: of a run; it exists.

    Raises:
        OutputError: another process has the lock.
    """
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                raise OutputError(
                    f"another process is at work in {folder}. Wait for it, or choose another "
                    "folder."
                ) from error
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_folder(folder: Path, record: str) -> Iterator[None]:
    """Create the folder of a run and keep other processes out of it until the block ends.

    A new folder in which no run was begun is removed again.

    Args:
        folder: of the run.
        record: name of the file with which a run begins.

    Raises:
        OutputError: the folder cannot be written, or another process is at work in it.
    """
    is_new = not folder.exists()
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(only_process_in(folder))
        except OSError as error:
            raise unusable(folder, error) from error
        try:
            yield
        finally:
            # Under the lock, so that it is not the folder of a process that came next.
            if is_new and not (folder / record).exists():
                with suppress(OSError):
                    (folder / LOCK_NAME).unlink(missing_ok=True)
                    folder.rmdir()


def unusable(folder: Path, error: OSError) -> OutputError:
    """Make the error of a folder that a run cannot use.

    Args:
        folder: of the run.
        error: what the system said.
    """
    return OutputError(
        f"cannot write {folder}: {error_reason(error)}. Make room or make the folder writable, or "
        "choose another one."
    )
