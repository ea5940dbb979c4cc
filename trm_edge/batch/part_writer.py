"""Collects answers, and writes a part now and then."""

from __future__ import annotations

import time

import pyarrow as pa

from trm_edge.batch.output_folder import OutputFolder

PART_ROWS = 1 << 16
PART_SECONDS = 30.0


class PartWriter:
    """Writes a part when enough rows are there, or some time after the last one.

    Args:
        folder: takes the parts.
        rows: of a part at most.
        seconds: between two parts at most, where any answers came.
    """

    def __init__(
        self, folder: OutputFolder, *, rows: int = PART_ROWS, seconds: float = PART_SECONDS
    ) -> None:
        self._folder = folder
        self._rows = rows
        self._seconds = seconds
        self._answers: list[pa.Table] = []
        self._count = 0
        self._last = time.monotonic()

    def add(self, answers: pa.Table) -> None:
        """Take further answers.

        Args:
            answers: with the columns of ``ANSWER_SCHEMA``.

        Raises:
            OutputError: a part cannot be written.
        """
        self._answers.append(answers)
        self._count += len(answers)
        while self._count >= self._rows:
            self._write(self._rows)
        if time.monotonic() - self._last >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Write the answers that are in memory.

        Raises:
            OutputError: the part cannot be written.
        """
        if self._count:
            self._write(self._count)

    def _write(self, rows: int) -> None:
        """Write the first rows of those in memory; they are forgotten even where that fails."""
        answers = pa.concat_tables(self._answers)
        rest = answers.slice(rows)
        self._answers = [rest]
        self._count = len(rest)
        self._folder.append(answers.slice(0, rows))
        self._last = time.monotonic()
