"""Files: read within bounds, written whole or not at all, identified by hash."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trm_edge.errors import OutputError
from trm_edge.interrupts import DeferredSignals
from trm_edge.staging import Staged, stage_file

_CHUNK = 1 << 20  # bytes read at once when hashing
_WRITE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # of no use of a file else
# What numpy says instead of an error number where a disk is full.
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all; missing folders above it are created.

    Args:
        path: the file; one that exists is replaced.
        text: the content.

    Raises:
        OutputError: the file cannot be written; says why.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes whole or not at all; missing folders above the file are created.

    A killed process leaves the old file or the new one, never half of one.

    Args:
        path: the file; one that exists is replaced.
        content: the content.

    Raises:
        OutputError: the file cannot be written; says why.
    """
    with replace_file(path) as file:
        file.write(content)


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """Open a hidden file that takes the place of a file when the block ends without an error.

    A killed process leaves the old file or the new one, never half of one, and at most the hidden
    file, which the next write to the same path removes.

    Args:
        path: the file; one that exists is replaced, missing folders above it are created. A link
            stays a link, and the file that it names is replaced.

    Raises:
        OutputError: the file cannot be written; says why.
    """
    staged: Staged | None = None
    try:
        _check_regular(path)
        place = Path(os.path.realpath(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        with DeferredSignals():
            staged = stage_file(place)
        with staged.path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        staged.path.chmod(0o644)
        staged.path.replace(place)
    except OSError as error:
        raise _cannot_write(path, error_reason(error)) from error
    finally:
        if staged is not None:
            with DeferredSignals():
                staged.remove()


def is_write_error(error: OSError) -> bool:
    """Tell the errors of a full or read-only disk from those of reading.

    Args:
        error: of any operation on a file.
    """
    return error.errno in _WRITE_ERRORS or bool(_SHORT_WRITE.fullmatch(str(error)))


def error_reason(error: OSError) -> str:
    """Say why an operation on a file failed, without the file's name.

    Args:
        error: the error.
    """
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        failures = error.args[0]
        return str(failures[0][-1]) if failures else "copying failed"
    return error.strerror or str(error)


def check_writable(path: Path) -> None:
    """Refuse an output file that could not be written, before any work is done for it.

    Nothing is left behind: folders are not created, and an existing file keeps its content.

    Args:
        path: the file that will be written with :func:`write_text` or :func:`write_bytes`.

    Raises:
        OutputError: the file could not be written; says why.
    """
    try:
        _check_regular(path)
        folder = path.parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise _cannot_write(path, f"{folder} is not a folder")
        if path.is_file() and not os.access(path, os.W_OK):
            raise _cannot_write(path, "the file is read-only")
        # Permissions do not tell everything (/proc, a read-only mount, a full disk): try it.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _cannot_write(path, error_reason(error)) from error


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, and nothing else.

    A pipe would wait for a writer, a device never ends, and opening some has effects; none of them
    is opened, or waited for.

    Args:
        path: the file.

    Raises:
        OSError: it does not exist, cannot be read or is not a regular file; ``strerror`` says why.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except ValueError as error:  # a NUL character
        raise OSError(errno.EINVAL, "its name is not valid") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a regular file that is not larger than it may be.

    Args:
        path: the file.
        limit: bytes; a larger file is refused before it is read.

    Raises:
        OSError: it does not exist, cannot be read, is not a regular file or is too large;
            ``strerror`` says why.
    """
    with open_regular(path) as file:
        return read_open_file(file, limit)


def read_open_file(file: BinaryIO, limit: int) -> bytes:
    """Read the whole content of an open file that is not larger than it may be.

    Args:
        file: open for reading, a regular file.
        limit: bytes; a larger file is refused before it is read.

    Raises:
        OSError: it cannot be read or is too large; ``strerror`` says why.
    """
    size = os.fstat(file.fileno()).st_size
    if size <= limit:
        file.seek(0)
        content = file.read(limit + 1)  # it may grow meanwhile
        size = len(content)
    if size > limit:
        raise OSError(errno.EFBIG, f"it has {size} bytes, and at most {limit} are read")
    return content


def hash_file(path: Path) -> str:
    """Compute the sha256 of a file's bytes, in hexadecimal.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    with open_regular(path) as file:
        return hash_open_file(file)


def hash_open_file(file: BinaryIO, report: Callable[[int], None] | None = None) -> str:
    """Compute the sha256 of the rest of an open file, in hexadecimal.

    Args:
        file: open for reading.
        report: called with the bytes of each part that was hashed.
    """
    digest = hashlib.sha256()
    chunk = file.read(_CHUNK)
    while chunk:
        digest.update(chunk)
        if report is not None:
            report(len(chunk))
        chunk = file.read(_CHUNK)
    return digest.hexdigest()


def _check_regular(path: Path) -> None:
    if path.is_dir():
        raise _cannot_write(path, "it is a folder")
    if path.exists() and not path.is_file():
        raise _cannot_write(path, "it is not a regular file")


def _cannot_write(path: Path, reason: str) -> OutputError:
    return OutputError(f"cannot write {path}: {reason}. Choose another path.")
