"""Small text files of unknown origin: read whole, but never more than a limit."""

from __future__ import annotations

import re
from pathlib import Path

from trm_edge.errors import CheckpointError

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SHOWN = 160  # characters of foreign text in a message
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e]")


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
        if not path.is_file():  # opening a pipe would wait for a writer
            raise CheckpointError(f"{path} is not a regular file, so it is not {noun}.")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(content) > limit:
        raise CheckpointError(
            f"{path} is larger than {limit >> 10} KiB, so it is not {noun}. Check the path."
        )
    encoding = "utf-16" if content[:2] in _UTF16_MARKS else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise CheckpointError(
            f"{path} is not {noun}: it is not text in UTF-8 (byte {error.start})."
        ) from error


def printable(value: object, limit: int = _SHOWN) -> str:
    """Show foreign text in a message: on one line, without control characters, cut to a length.

    Args:
        value: anything; shown by ``str``.
        limit: the most characters.
    """
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    try:
        text = str(value)
    except ValueError:  # an integer within a list, of more digits than Python writes
        text = type(value).__name__
    text = _CONTROL.sub(" ", text[: 4 * limit]).strip()
    if len(text) > limit:
        return f"{text[: limit - 3]}..."
    return text
