"""A run in one process: what is left of the input is solved, and failed rows on request again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from trm_edge.batch.answer_buffer import PART_ROWS, checked_buffer
from trm_edge.batch.finished import FinishedRows
from trm_edge.batch.output_folder import OutputFolder
from trm_edge.batch.pieces import Pieces
from trm_edge.batch.retry import FailedRows
from trm_edge.batch.source import Reading, RowSource
from trm_edge.batch.tally import Tally
from trm_edge.progress import Metered, Track, silent


class Solves(Protocol):
    """What turns blocks of rows into blocks of answers, as a ``BlockSolver`` does."""

    def solve(self, blocks: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Solve blocks, and hand out the answers of each in the same order."""


@dataclass(frozen=True)
class RunResult:
    """Where a run stopped.

    Args:
        tally: of all rows of the folder.
        solved: rows of this call.
        seconds: that they took.
    """

    tally: Tally
    solved: int
    seconds: float


class Run:
    """Solves the rows of a source that a folder does not have yet.

    Args:
        source: of the rows.
        folder: begun with their fingerprint, and locked.
        solver: turns rows into answers.
        track: reports the rows.
        part_rows: rows of a part at most.
    """

    def __init__(
        self,
        source: RowSource,
        folder: OutputFolder,
        solver: Solves,
        track: Track = silent,
        *,
        part_rows: int = PART_ROWS,
    ) -> None:
        self._source = source
        self._folder = folder
        self._solver = solver
        self._track = track
        self._part_rows = part_rows
        self._solved = 0

    def solve(self, *, retry_failed: bool = False) -> RunResult:
        """Solve what is left.

        Args:
            retry_failed: solve the rows again that failed before this call, first.

        Raises:
            TrmEdgeError: the input cannot be read, the engine fails on everything, or a part cannot
                be read or written. What was solved before is written.
        """
        finished = FinishedRows.read(self._folder, self._track)
        start = time.monotonic()
        if retry_failed:
            self._retry(finished)
        self._solve_rest(finished)
        return RunResult(finished.tally, self._solved, time.monotonic() - start)

    def _solve_rest(self, finished: FinishedRows) -> None:
        done = len(finished.rows)
        total = self._source.count()
        if total is not None:
            total -= done
        reading = Reading()

        def estimate() -> float | None:
            rows = reading.total()
            return None if rows is None else max(rows - done, 0.0)

        buffer = checked_buffer(self._source, self._folder.append, rows=self._part_rows)
        with closing(self._source.blocks(reading)) as blocks, buffer.flushed():
            rows = finished.left_out_of(reading.counted(blocks))
            for answers in self._answers(rows, "solved", total, estimate):
                finished.tally.add(answers)
                buffer.add(answers)

    def _retry(self, finished: FinishedRows) -> None:
        failed = FailedRows(self._folder, finished)
        buffer = checked_buffer(self._source, failed.replace, rows=self._part_rows)
        with closing(self._source.blocks()) as blocks, buffer.flushed():
            rows = finished.failed_of(blocks)
            for answers in self._answers(rows, "retried", len(finished.failed)):
                buffer.add(answers)

    def _answers(
        self,
        rows: Iterator[pa.Table],
        description: str,
        total: int | None,
        estimate: Callable[[], float | None] | None = None,
    ) -> Iterator[pa.Table]:
        """The answers to rows, reported as they come."""
        pieces = Pieces()
        before = self._solved
        answers = self._solver.solve(pieces.cut(rows))
        metered = Metered(
            answers,
            "puzzles",
            lambda: self._solved - before,
            shows_rate=True,
            estimate=estimate,
        )
        for table in self._track(metered, description, total):
            self._solved += len(table)
            pieces.finish(len(table))
            yield table
