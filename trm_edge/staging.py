"""Hidden files and folders in which an output is prepared beside its place.

Their names hold the process: ``.NAME.trm-edge-PID-HOST-RANDOM``. Each is locked while its process
lives, and the kernel drops the lock when the process dies, however that happens. So the next run to
the same place can tell what a killed run left from what another one is working on.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trm_edge.folder_swap import OLD

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

_MARKER = "trm-edge"
_NAME_BYTES = 180  # of the output's name; a file name has at most 255 with the rest
_NEW_SECONDS = 60.0  # younger ones may not be locked yet
_LOCK_TRIES = 200
_LOCK_PAUSE_SECONDS = 0.01


class Staged:
    """A hidden file or folder, created and locked.

    Args:
        path: of the file or folder.
        descriptor: open on it; holds the lock.
    """

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor
        _ACTIVE.add(path.name)

    def close(self) -> None:
        """Release the lock; the file or folder stays."""
        _ACTIVE.discard(self.path.name)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Delete the file or folder if it is still there, and release the lock."""
        _delete(self.path)
        self.close()


# Names that this process works on, whatever its process identifier.
_ACTIVE: set[str] = set()


def stage_folder(place: Path, parent: Path | None = None) -> tuple[Staged, list[int]]:
    """Create a hidden folder for an output, after removing what killed runs left.

    Args:
        place: path of the output.
        parent: existing folder to create it in; by default the output's.

    Returns:
        The folder, and the process identifiers of other runs that are preparing the same output.

    Raises:
        OSError: the folder cannot be created.
    """
    folder = place.parent if parent is None else parent
    with _only_one(folder):
        others = remove_leftovers(place, folder)
        path = folder / _new_name(place, folder)
        path.mkdir()
        return Staged(path, _try_lock(path)[0]), others


def stage_file(place: Path) -> Staged:
    """Create a hidden empty file beside an output, after removing what killed runs left.

    Args:
        place: path of the output.

    Raises:
        OSError: the file cannot be created.
    """
    folder = place.parent
    with _only_one(folder):
        remove_leftovers(place)
        path = folder / _new_name(place, folder)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return Staged(path, _try_lock(path)[0])


def remove_leftovers(place: Path, parent: Path | None = None) -> list[int]:
    """Remove what killed runs to an output left, and log it.

    An output that a killed run had moved aside and not replaced yet is put back.

    Args:
        place: path of the output.
        parent: folder that they prepared it in; by default the output's.

    Returns:
        Process identifiers of the runs that are still preparing this output.
    """
    folder = place.parent if parent is None else parent
    label = re.escape(_label(place, folder))
    pattern = re.compile(rf"\.{label}\.{_MARKER}-(\d+)-([0-9a-f]+)-[0-9a-f]+({re.escape(OLD)})?")
    alive: list[int] = []
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
    for name in names:
        match = pattern.fullmatch(name)
        if match is None or name.removesuffix(OLD) in _ACTIVE:
            continue
        path = folder / name
        pid = int(match[1])
        if not _abandoned(path, pid, match[2]):
            alive.append(pid)
        elif match[3] and not os.path.lexists(place):
            path.rename(place)
            logger.info("put back %s, which a killed run had moved aside", place)
        else:
            _delete(path)
            logger.info("removed %s, which a killed run left (process %d)", path, pid)
    return alive


def _new_name(place: Path, folder: Path) -> str:
    random = secrets.token_hex(4)
    return f".{_label(place, folder)}.{_MARKER}-{os.getpid()}-{_host()}-{random}"


def _label(place: Path, folder: Path) -> str:
    """Name the output, cut where it would be too long with a marker behind it."""
    label = place.name if folder == place.parent else f"{place.parent.name}.{place.name}"
    return label.encode(errors="surrogateescape")[:_NAME_BYTES].decode(errors="ignore")


def _host() -> str:
    """Four digits that tell machines and containers apart which share a folder."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]


def _abandoned(path: Path, pid: int, host: str) -> bool:
    """Whether nobody works on a hidden file or folder of another run."""
    if path.name.endswith(OLD):  # its run holds the lock of the name without the ending
        staged = path.with_name(path.name.removesuffix(OLD))
        if os.path.lexists(staged):
            return _abandoned(staged, pid, host)
        return host == _host() and not _running(pid)
    locked = _is_locked(path)
    if locked is None:  # the file system has no locks
        return host == _host() and not _running(pid)
    if locked:
        return False
    if host == _host() and not _running(pid):
        return True
    try:
        age = time.time() - path.lstat().st_mtime
    except OSError:
        return True
    return age > _NEW_SECONDS


def _running(pid: int) -> bool:
    if sys.platform == "win32":  # os.kill would end the process there
        return True
    if pid == os.getpid():
        return False  # what this process works on was left out before
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _is_locked(path: Path) -> bool | None:
    """Whether another process holds the lock; None where that cannot be asked."""
    descriptor, busy = _try_lock(path)
    if busy:
        return True
    if descriptor is None:
        return None
    os.close(descriptor)
    return False


def _try_lock(path: Path) -> tuple[int | None, bool]:
    """Open and lock: the descriptor, None without a lock, and whether another process has it."""
    if sys.platform == "win32":
        return None, False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None, False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        return None, error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    return descriptor, False


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Let one process at a time look for others and create its own; goes on without after 2 s.

    A folder that this process itself prepares is locked by it already, and no other looks there.
    """
    if folder.name in _ACTIVE:
        yield
        return
    descriptor: int | None = None
    for _ in range(_LOCK_TRIES):
        descriptor, busy = _try_lock(folder)
        if not busy:
            break
        time.sleep(_LOCK_PAUSE_SECONDS)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            logger.debug("cannot remove %s", path, exc_info=True)
