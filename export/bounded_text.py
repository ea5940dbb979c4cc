"""Small text files of unknown origin: read whole, but never more than a limit."""

from __future__ import annotations

import errno
from pathlib import Path

from trm_edge.errors import CheckpointError
from trm_edge.files import read_bytes

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path, limit: int, noun: str) -> str:
    """Read a text file in UTF-8 or UTF-16, with or without a byte order mark.

    Args:
        path: the file.
        limit: the most bytes it may have.
        noun: names the kind of file in errors, such as ``"a configuration"``.

    Raises:
        CheckpointError: it is not a regular file, cannot be read, is too large, or is not text.
    """
    try:
        content = read_bytes(path, limit)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise CheckpointError(
                f"{path} is larger than {limit >> 10} KiB, so it is not {noun}. Check the path."
            ) from error
        raise CheckpointError(
            f"{path} cannot be read as {noun}: {error.strerror or error}."
        ) from error
    encoding = "utf-16" if content[:2] in _UTF16_MARKS else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise CheckpointError(
            f"{path} is not {noun}: it is not text in UTF-8 (byte {error.start})."
        ) from error
