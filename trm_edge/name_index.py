"""Names of many rows, looked up in mapped files: a million names are neither read nor unpacked.

``identifiers/names.txt`` holds the names in the order of their rows, UTF-8, a newline after each.
``identifiers/starts.npy`` (N + 1,) int64 says at which byte the name of row n begins, and
``identifiers/order.npy`` (N,) int32 lists the rows in the order of their names' bytes, equal names
in the order of their rows. A name is found by bisection.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from trm_edge.array_writer import ArrayWriter
from trm_edge.arrays import ArrayError, map_array
from trm_edge.errors import BundleError
from trm_edge.identifiers import LARGEST_NAMES, NO_ROW, IndexedNames
from trm_edge.verified_files import VerifiedFiles

NAMES_TEXT = "identifiers/names.txt"
NAMES_STARTS = "identifiers/starts.npy"
NAMES_ORDER = "identifiers/order.npy"
INDEX_FILES = (NAMES_TEXT, NAMES_STARTS, NAMES_ORDER)
_BLOCK = 1 << 16  # names read or written together
_NEWLINE = b"\n"


class NameIndex(IndexedNames):
    """The names of a table's rows in mapped files, the name of row n at place n.

    Args:
        text: all names, a newline after each.
        starts: (N + 1,) int64, bytes of the text before each name, and those of all.
        order: (N,) int32, rows in the order of their names.
        source: the folder, for errors.
    """

    def __init__(
        self,
        text: bytes | mmap.mmap,
        starts: NDArray[np.int64],
        order: NDArray[np.int32],
        source: Path,
    ) -> None:
        self._text = text
        self._starts = np.asarray(starts)  # indexing a numpy.memmap is several times slower
        self._order = np.asarray(order)
        self._source = source

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[str]:
        for row in range(len(self)):
            yield self._decoded(self._name(row))

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[place] for place in range(*row.indices(len(self)))]
        place = row + len(self) if row < 0 else row
        if not 0 <= place < len(self):
            raise IndexError(f"there is no row {row}, but there are {len(self)}")
        return self._decoded(self._name(place))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.rows([name])[0] != NO_ROW)

    def rows(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Find the rows of names.

        Args:
            names: in any order and number.

        Returns:
            The first row (n,) of each name; -1 for names that no row has.

        Raises:
            BundleError: the files do not name the rows.
        """
        wanted = [name.encode("utf-8", "surrogatepass") for name in names]
        rows = np.full(len(wanted), NO_ROW, np.int64)
        low = 0
        for place in sorted(range(len(wanted)), key=wanted.__getitem__):
            low = self._first_from(wanted[place], low)
            if low < len(self) and self._ordered(low) == wanted[place]:
                rows[place] = self._order[low]
        return rows

    def check(self) -> None:
        """Read all names and compare them with their order.

        Raises:
            BundleError: the files do not name the rows, or the order is not that of the names.
        """
        present = np.zeros(len(self), np.bool_)
        previous = b""
        previous_row = -1
        for place in range(len(self)):
            name = self._ordered(place)
            self._decoded(name)
            row = int(self._order[place])
            present[row] = True
            if (name, row) <= (previous, previous_row):
                raise self._damaged("the order of the rows is not that of their names")
            previous = name
            previous_row = row
        if not present.all():
            raise self._damaged("the order leaves rows out")

    def _first_from(self, name: bytes, low: int) -> int:
        """The first place from ``low`` on whose name is not before ``name``.

        Steps double until they pass it, so that names close to the last one are found at once.
        """
        high = low
        step = 1
        while high < len(self) and self._ordered(high) < name:
            low = high + 1
            high += step
            step *= 2
        high = min(high, len(self))
        while low < high:
            middle = (low + high) // 2
            if self._ordered(middle) < name:
                low = middle + 1
            else:
                high = middle
        return low

    def _ordered(self, place: int) -> bytes:
        """The name at a place of the order."""
        row = int(self._order[place])
        if not 0 <= row < len(self):
            raise self._damaged(f"the order holds the row {row}, and there are {len(self)} rows")
        return self._name(row)

    def _name(self, row: int) -> bytes:
        start = int(self._starts[row])
        end = int(self._starts[row + 1])
        if not 0 <= start < end <= len(self._text):
            raise self._damaged(f"the name of row {row} lies outside of the text")
        return self._text[start : end - 1]

    def _decoded(self, name: bytes) -> str:
        try:
            return name.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise self._damaged("a name is not UTF-8") from error

    def _damaged(self, reason: str) -> BundleError:
        return BundleError(
            f"{self._source} does not name the model's rows: {reason}. Export the bundle again."
        )


def write_name_index(folder: Path, names: Sequence[str]) -> None:
    """Write the names of rows as files that are looked up in place.

    Args:
        folder: of the bundle.
        names: the one of row n at place n.

    Raises:
        OSError: a file cannot be written.
    """
    (folder / NAMES_TEXT).parent.mkdir(parents=True, exist_ok=True)
    encoded = [name.encode("utf-8", "surrogatepass") for name in names]
    count = len(encoded)
    sizes = np.fromiter(map(len, encoded), np.int64, count) + len(_NEWLINE)
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
    with ArrayWriter(folder / NAMES_STARTS, starts.shape, np.dtype(np.int64)) as writer:
        writer.write(starts)
    with (folder / NAMES_TEXT).open("wb") as file:
        for start in range(0, count, _BLOCK):
            block = encoded[start : start + _BLOCK]
            file.write(_NEWLINE.join(block) + _NEWLINE)
    order = np.array(sorted(range(count), key=encoded.__getitem__), np.int32)
    with ArrayWriter(folder / NAMES_ORDER, order.shape, np.dtype(np.int32)) as writer:
        writer.write(order)


def open_name_index(files: VerifiedFiles, rows: int) -> NameIndex:
    """Map the names of a bundle's rows.

    Args:
        files: of the bundle, which has all of :data:`INDEX_FILES`.
        rows: N, of the model's table.

    Raises:
        BundleError: a file is missing or was changed, or does not have as many names.
    """
    folder = (files.folder / NAMES_TEXT).parent
    missing = [name for name in INDEX_FILES if name not in files.records]
    if missing:
        raise BundleError(
            f"{folder} does not name the model's rows: {', '.join(missing)} is missing. Export the "
            "bundle again."
        )
    starts = _map(files, NAMES_STARTS, (rows + 1,), np.int64)
    order = _map(files, NAMES_ORDER, (rows,), np.int32)
    size = files.records[NAMES_TEXT].size
    if size != int(starts[-1]) or not 0 < size <= LARGEST_NAMES:
        raise BundleError(
            f"{files.folder / NAMES_TEXT} does not name the model's rows: its {size} bytes are not "
            f"those of {rows} names, or are more than {LARGEST_NAMES >> 20} MiB. Export the bundle "
            "again."
        )
    with files.open(NAMES_TEXT) as file:
        text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return NameIndex(text, starts, order, folder)


def _map(files: VerifiedFiles, name: str, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    with files.open(name) as file:
        try:
            return map_array(file, files.records[name].size, shape, np.dtype(dtype))
        except ArrayError as error:
            raise BundleError(
                f"{files.folder / name} does not name the model's rows: {error}. Export the "
                "bundle again."
            ) from error
