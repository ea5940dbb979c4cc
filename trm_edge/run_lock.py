"""Keeps a second process out of the folder of a run; the kernel drops the lock with the process."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trm_edge.errors import OutputError

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
