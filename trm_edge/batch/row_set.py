"""A set of row numbers that stays small: full chunks take no memory of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHUNK = 1 << 16  # rows


class RowSet:
    """Row numbers, in chunks that are forgotten once all their rows are in.

    >>> rows = RowSet()
    >>> rows.add(np.array([0, 1, 5]))
    >>> rows.contains(np.arange(3)).tolist(), len(rows)
    ([True, True, False], 3)
    """

    def __init__(self) -> None:
        self._chunks: dict[int, NDArray[np.bool_] | None] = {}  # None: all rows
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, rows: NDArray[np.int64]) -> None:
        """Add rows.

        Args:
            rows: (n,) not negative, none of them twice or in the set.
        """
        for number, places in _by_chunk(rows):
            chunk = self._chunks.setdefault(number, np.zeros(CHUNK, np.bool_))
            if chunk is not None:
                chunk[places] = True
                if chunk.all():
                    self._chunks[number] = None
        self._count += len(rows)

    def numbers(self) -> NDArray[np.int64]:
        """List the rows.

        Returns:
            (n,), ascending.
        """
        parts = [np.zeros(0, np.int64)]
        for number in sorted(self._chunks):
            chunk = self._chunks[number]
            places = np.arange(CHUNK) if chunk is None else np.flatnonzero(chunk)
            parts.append(number * CHUNK + places)
        return np.concatenate(parts)

    def contains(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which rows are in the set.

        Args:
            rows: (n,) not negative.

        Returns:
            (n,) bool.
        """
        present: NDArray[np.bool_] = np.zeros(len(rows), np.bool_)
        numbers = rows // CHUNK
        for number in np.unique(numbers).tolist():
            chunk = self._chunks.get(number, _NO_ROWS)
            of_chunk = numbers == number
            present[of_chunk] = True if chunk is None else chunk[rows[of_chunk] % CHUNK]
        return present


_NO_ROWS: NDArray[np.bool_] = np.zeros(CHUNK, np.bool_)


def _by_chunk(rows: NDArray[np.int64]) -> list[tuple[int, NDArray[np.int64]]]:
    numbers = rows // CHUNK
    return [(number, rows[numbers == number] % CHUNK) for number in np.unique(numbers).tolist()]
