"""Names of puzzle identifiers: which puzzle each row of the puzzle-embedding table belongs to.

The trainer's dataset builder numbers puzzles and writes ``identifiers.json``, a list in which the
name of row n stands at place n; ``<blank>`` is row 0, which belongs to no puzzle. A dataset that is
built again may number the same puzzles otherwise, so a bundle keeps the names of its own rows.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from trm_edge.files import error_reason, read_bytes
from trm_edge.printable import excerpt

IDENTIFIERS_NAME = "identifiers.json"
BLANK = "<blank>"
LARGEST_NAMES = 128 << 20  # bytes of a file; a published table has a million names of 30
_ROW_BYTES = 256  # of a row's name in a bundle, on average, and as much again for the others
_FEWEST_BYTES = 1 << 16
_GZIP = 31  # zlib's window bits of its format, without a time
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NamesError(ValueError):
    """A file does not hold the names of rows; the message is a clause that says why."""


class RowNames:
    """The names of a model's rows, read when they are first needed.

    Args:
        read: returns the names, the one of row n at place n; None where they are unknown.
    """

    def __init__(self, read: Callable[[], Sequence[str] | None]) -> None:
        self._read = read
        self._names: Sequence[str] | None = None
        self._is_read = False

    def names(self) -> Sequence[str] | None:
        """Return the names, the one of row n at place n; None where they are unknown."""
        if not self._is_read:
            self._names = self._read()
            self._is_read = True
        return self._names


def read_names(path: Path) -> list[str]:
    """Read an ``identifiers.json``.

    Args:
        path: the file.

    Returns:
        The names, the one of identifier n at place n.

    Raises:
        NamesError: it cannot be read, is too large, is not a list of names, or has one twice.
    """
    try:
        content = read_bytes(path, LARGEST_NAMES)
    except OSError as error:
        raise NamesError(f"it cannot be read: {error_reason(error)}") from error
    return _parsed(content)


def pack_names(names: Sequence[str]) -> bytes:
    """Encode names for a bundle: their JSON, packed with gzip.

    Args:
        names: the one of row n at place n.
    """
    packer = zlib.compressobj(wbits=_GZIP)
    return packer.compress(msgspec.json.encode(list(names))) + packer.flush()


def unpack_names(content: bytes, rows: int) -> list[str]:
    """Decode the names in a bundle, of which neither size nor content is trusted.

    Args:
        content: as :func:`pack_names` returns it.
        rows: of the model's table.

    Raises:
        NamesError: it is not what :func:`pack_names` returns for as many rows.
    """
    limit = max(_FEWEST_BYTES, min(LARGEST_NAMES, _ROW_BYTES * rows))
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        text = unpacker.decompress(content, limit)
    except zlib.error as error:
        raise NamesError("it is not packed with gzip") from error
    if not unpacker.eof:
        raise NamesError(f"it is cut, or unpacks to more than {limit:,} bytes")
    names = _parsed(text)
    if len(names) != rows:
        raise NamesError(f"it has {len(names)} names for {rows} rows")
    return names


def _parsed(content: bytes) -> list[str]:
    """The names in JSON; an item of another type ends the parsing, before it takes memory."""
    try:
        names = msgspec.json.decode(content.removeprefix(_BYTE_ORDER_MARK), type=list[str])
    except msgspec.ValidationError as error:
        raise NamesError("it is not a list of names") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NamesError("it is not JSON") from error
    _check_distinct(names)
    return names


def _check_distinct(names: Sequence[str]) -> None:
    """Refuse a name that stands for two puzzles; blank rows stand for none."""
    if len(set(names)) == len(names):
        return
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first and name != BLANK:
            raise NamesError(f"{excerpt(name, 60)} is there twice, at {first[name]} and {index}")
        first[name] = index
