"""Put a folder in its place in one step."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

OLD = ".old"  # ends the name of what was moved aside to be replaced
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_NO_REPLACE = 1  # RENAME_NOREPLACE
_AT_FDCWD = -100
_INSTALL_TRIES = 5


def install(staged: Path, place: Path, check: Callable[[], None]) -> None:
    """Put a folder in its place in one step; afterwards ``staged`` holds what was there, if any.

    Where the system cannot swap two folders, what was there is moved aside for a moment.

    Args:
        staged: path of the hidden folder.
        place: path of the output, of the same file system.
        check: called if something is there; raises if it must not be replaced.

    Raises:
        OSError: the folder cannot be renamed.
    """
    for _ in range(_INSTALL_TRIES):
        try:
            if not os.path.lexists(place):
                rename_new(staged, place)
                return
            check()
            if not exchange(staged, place):
                _replace(staged, place)
            return
        except (FileExistsError, FileNotFoundError):
            continue  # another process came or went at the place meanwhile
    raise OSError(errno.EBUSY, "other processes keep changing it")


def _replace(staged: Path, place: Path) -> None:
    previous = staged.with_name(staged.name + OLD)
    place.rename(previous)
    try:
        staged.rename(place)
    except OSError:
        previous.rename(place)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def exchange(new: Path, place: Path) -> bool:
    """Swap two paths of one file system in one step.

    Args:
        new: path of one.
        place: path of the other.

    Returns:
        False where the system cannot do that; nothing was changed then.

    Raises:
        OSError: the paths cannot be renamed.
    """
    return _rename(new, place, _EXCHANGE)


def rename_new(new: Path, place: Path) -> None:
    """Rename a file or folder to a place where nothing is.

    Args:
        new: path of the file or folder.
        place: its new path.

    Raises:
        FileExistsError: something is there, were it an empty folder.
        OSError: the path cannot be renamed.
    """
    if _rename(new, place, _NO_REPLACE):
        return
    if os.path.lexists(place):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))
    new.rename(place)


def _rename(source: Path, target: Path, flags: int) -> bool:
    """Call renameat2(2); False where there is no such call, or the file system cannot do it."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    paths = os.fsencode(source), os.fsencode(target)
    if call(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], flags) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV, errno.EPERM):
        return False
    raise OSError(number, os.strerror(number), str(source), None, str(target))
