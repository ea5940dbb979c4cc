"""Names of puzzle identifiers: which puzzle each row of the puzzle-embedding table belongs to.

The trainer's dataset builder numbers puzzles and writes ``identifiers.json``, a list in which the
name of row n stands at place n; ``<blank>`` is row 0, which belongs to no puzzle. A dataset that is
built again may number the same puzzles otherwise, so a bundle keeps the names of its own rows.
"""

from __future__ import annotations

import operator
import zlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from trm_edge.files import error_reason, read_bytes
from trm_edge.printable import excerpt

IDENTIFIERS_NAME = "identifiers.json"
BLANK = "<blank>"
NO_ROW = -1  # stands for a name that no row has
LARGEST_NAMES = 128 << 20  # bytes of a file; a published table has a million names of 30
_ROW_BYTES = 256  # of a row's name in a bundle, on average, and as much again for the others
_FEWEST_BYTES = 1 << 16
_GZIP = 31  # zlib's window bits of its format, without a time
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NamesError(ValueError):
    """A file does not hold the names of rows; the message is a clause that says why."""


class IndexedNames(Sequence[str]):
    """Names that find their rows without being read one by one."""

    @abstractmethod
    def rows(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Find the rows of names.

        Args:
            names: in any order and number.

        Returns:
            The first row (n,) of each name; -1 for names that no row has.
        """


class RowNames:
    """The names of a model's rows, read when they are first needed.

    Args:
        read: returns the names, the one of row n at place n; None where they are unknown. Names
            that are :class:`IndexedNames` are asked for rows, others are put into a dictionary.

    >>> names = RowNames(lambda: ["<blank>", "007bbfb7", "00d62c1b"])
    >>> names.row("00d62c1b"), names.row("11852cab")
    (2, None)
    """

    def __init__(self, read: Callable[[], Sequence[str] | None]) -> None:
        self._read = read
        self._names: Sequence[str] | None = None
        self._is_read = False
        self._row_of: dict[str, int] | None = None

    def names(self) -> Sequence[str] | None:
        """Return the names, the one of row n at place n; None where they are unknown."""
        if not self._is_read:
            self._names = self._read()
            self._is_read = True
        return self._names

    def are(self, names: Sequence[str]) -> bool:
        """Tell whether the rows have these names, in this order.

        Args:
            names: the one of row n at place n.

        Raises:
            BundleError: the names of the rows cannot be read.
        """
        own = self.names()
        if own is None or len(own) != len(names):
            return False
        return all(map(operator.eq, own, names))

    def row(self, name: str) -> int | None:
        """Find the row of a name.

        Args:
            name: of a puzzle, such as ``007bbfb7|||t3|||0192837465``.

        Returns:
            The first row of that name; None where no row has it, or the names are unknown.

        Raises:
            BundleError: the names of the rows cannot be read.
        """
        row = int(self.rows([name])[0])
        return None if row == NO_ROW else row

    def rows(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Find the rows of names; many together are found faster than one by one.

        Args:
            names: in any order and number.

        Returns:
            The first row (n,) of each name; -1 where no row has it, or the names are unknown.

        Raises:
            BundleError: the names of the rows cannot be read.
        """
        own = self.names()
        if isinstance(own, IndexedNames):
            return own.rows(names)
        if self._row_of is None:
            self._row_of = {}
            for row, name in enumerate(own or ()):
                self._row_of.setdefault(name, row)  # the first of several blank rows
        return np.array([self._row_of.get(name, NO_ROW) for name in names], np.int64)


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
