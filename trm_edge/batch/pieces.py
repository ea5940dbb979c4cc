"""Cuts blocks to pieces that take about as long, so that little is lost with a killed process."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import pyarrow as pa

from trm_edge.batch.source import BLOCK_ROWS

FIRST_ROWS = 32  # of a piece, before the speed is known
_SECONDS = 2.0  # that a piece takes


class Pieces:
    """Pieces of blocks, whose size follows the speed.

    Args:
        seconds: that a piece should take.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._start: float | None = None
        self._done = 0
        self.rows = FIRST_ROWS

    def cut(self, blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Cut blocks.

        Args:
            blocks: of at most ``BLOCK_ROWS`` rows.
        """
        for block in blocks:
            if self._start is None:
                self._start = time.monotonic()
            offset = 0
            while offset < len(block):
                size = self.rows
                yield block.slice(offset, size)
                offset += size

    def finish(self, rows: int) -> None:
        """Take note of rows that were solved.

        Args:
            rows: number of them.
        """
        self._done += rows
        elapsed = time.monotonic() - (self._start or 0.0)
        if elapsed > 0:
            wanted = int(self._done / elapsed * self._seconds)
            self.rows = min(max(wanted, FIRST_ROWS), BLOCK_ROWS)
