"""Counts what dead workers leave behind: rows that were begun and not finished, starts in vain."""

from __future__ import annotations

from collections import Counter


class Attempts:
    """Tells rows that end their workers from rows whose worker happened to die.

    A worker says which rows it begins, and that it has finished them. Rows that wait at a worker
    which dies are not counted, as they were not begun.
    """

    def __init__(self) -> None:
        self._rows: Counter[tuple[int, int]] = Counter()
        self._starts: Counter[str] = Counter()

    def start(self, worker: str) -> int:
        """Take note of a worker that starts, or starts again.

        Args:
            worker: its id, which it keeps when it is started again.

        Returns:
            How often it has started since it last finished rows, this time included.
        """
        self._starts[worker] += 1
        return self._starts[worker]

    def begin(self, first_row: int, rows: int) -> int:
        """Take note of rows that a worker begins.

        Args:
            first_row: of them.
            rows: how many.

        Returns:
            How often they were begun and not finished, this time included.
        """
        self._rows[first_row, rows] += 1
        return self._rows[first_row, rows]

    def finish(self, worker: str, first_row: int, rows: int) -> None:
        """Take note of rows that were finished.

        Args:
            worker: that has finished them.
            first_row: of them.
            rows: how many.
        """
        key = (first_row, rows)
        self._rows[key] -= 1
        if self._rows[key] <= 0:
            del self._rows[key]
        self._starts.pop(worker, None)
