"""Which rows of a run are done, from its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from trm_edge.batch.answers import FAILED
from trm_edge.batch.output_folder import OutputFolder, read_part
from trm_edge.batch.row_set import RowSet
from trm_edge.batch.tally import TALLY_COLUMNS, Tally
from trm_edge.errors import OutputError
from trm_edge.progress import Track, silent


@dataclass
class FinishedRows:
    """The rows that have an answer or have failed.

    Args:
        rows: their places in the input.
        tally: counts them.
        failed: (n,) int64, ascending, the rows that have failed.
        failed_parts: (n,) int64, number of the part that holds each of them.
        parts: the parts.
    """

    rows: RowSet = field(default_factory=RowSet)
    tally: Tally = field(default_factory=Tally)
    failed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    failed_parts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    parts: list[Path] = field(default_factory=list)

    @classmethod
    def read(cls, folder: OutputFolder, track: Track = silent) -> FinishedRows:
        """Read the parts of a folder.

        Args:
            folder: of the run.
            track: reports the parts.

        Raises:
            OutputError: a part cannot be read, or a row stands in two of them.
        """
        finished = cls(parts=folder.parts())
        failed = []
        numbers = []
        parts = track(enumerate(finished.parts), "reading the answers so far", len(finished.parts))
        for number, path in parts:
            for table in read_part(path, ["row", *TALLY_COLUMNS]):
                finished._add(path, table)
                rows = table["row"].filter(pc.equal(table["outcome"], FAILED)).to_numpy()
                failed.append(rows)
                numbers.append(np.full(len(rows), number, np.int64))
        if failed:
            every = np.concatenate(failed)
            order = np.argsort(every)
            finished.failed = every[order]
            finished.failed_parts = np.concatenate(numbers)[order]
        return finished

    def _add(self, path: Path, table: pa.Table) -> None:
        rows = table["row"].to_numpy()
        repeated = rows[self.rows.contains(rows)]
        if not len(repeated):
            distinct, counts = np.unique(rows, return_counts=True)
            repeated = distinct[counts > 1]
        if len(repeated):
            raise OutputError(
                f"{path} holds row {repeated[0]}, which stands in the answers already. Delete a "
                "part that holds it: rows that are missing then are solved again."
            )
        self.rows.add(rows)
        self.tally.add(table)

    def left_out_of(self, blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Leave out the rows that are done.

        Args:
            blocks: rows of the input.
        """
        for block in blocks:
            if not len(self.rows):
                yield block
                continue
            done = self.rows.contains(block["row"].to_numpy())
            if not done.any():
                yield block
            elif not done.all():
                yield block.filter(pa.array(~done))

    def failed_of(self, blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Leave the rows that have failed, and stop reading after the last of them.

        Args:
            blocks: rows of the input.
        """
        if not len(self.failed):
            return
        for block in blocks:
            rows = block["row"].to_numpy()
            chosen = np.isin(rows, self.failed)
            if chosen.any():
                yield block.filter(pa.array(chosen))
            if len(rows) and rows[-1] >= self.failed[-1]:
                return
