"""Puts the answers to failed rows, solved again, in the place of the rows in their parts.

A part is replaced as a whole by one rename, so at every moment each row stands in it once.
"""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trm_edge.batch.answers import ANSWER_SCHEMA
from trm_edge.batch.finished import FinishedRows
from trm_edge.batch.output_folder import OutputFolder, read_part
from trm_edge.batch.part_writer import PART_ROWS, PART_SECONDS


class RetriedRows:
    """Collects answers, and replaces the parts of their rows now and then.

    Args:
        folder: of the run.
        finished: its rows; the tally follows the new answers.
        rows: that are collected at most.
        seconds: between two replacements at most, where any answers came.
    """

    def __init__(
        self,
        folder: OutputFolder,
        finished: FinishedRows,
        *,
        rows: int = PART_ROWS,
        seconds: float = PART_SECONDS,
    ) -> None:
        self._folder = folder
        self._finished = finished
        self._rows = rows
        self._seconds = seconds
        self._answers: list[pa.Table] = []
        self._count = 0
        self._last = time.monotonic()

    def add(self, answers: pa.Table) -> None:
        """Take answers to rows that had failed.

        Args:
            answers: with the columns of ``ANSWER_SCHEMA``.

        Raises:
            OutputError: a part cannot be read or written.
        """
        self._answers.append(answers)
        self._count += len(answers)
        if self._count >= self._rows or time.monotonic() - self._last >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Replace the parts of the rows that are in memory.

        Raises:
            OutputError: a part cannot be read or written; those before it are replaced.
        """
        if self._count:
            answers = pa.concat_tables(self._answers)
            self._answers = []
            self._count = 0
            rows = answers["row"].to_numpy()
            places = np.searchsorted(self._finished.failed, rows)
            parts = self._finished.failed_parts[places]
            for number in np.unique(parts).tolist():
                self._replace(number, answers.filter(pa.array(parts == number)))
        self._last = time.monotonic()

    def _replace(self, number: int, answers: pa.Table) -> None:
        path = self._finished.parts[number]
        before = pa.concat_tables(read_part(path, ANSWER_SCHEMA.names)).select(ANSWER_SCHEMA.names)
        is_old = pc.is_in(before["row"], value_set=answers["row"].combine_chunks())
        others = before.filter(pc.invert(is_old))
        after = pa.concat_tables([others.cast(ANSWER_SCHEMA), answers]).sort_by("row")
        self._folder.write(path, after)
        self._finished.tally.add(before.filter(is_old), sign=-1)
        self._finished.tally.add(answers)
