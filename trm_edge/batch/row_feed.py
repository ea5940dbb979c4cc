"""Feeds the halting loop with the puzzles of block after block, and collects their solutions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import pyarrow as pa

from trm_edge.batch.entries import block_entries
from trm_edge.errors import TrmEdgeError
from trm_edge.loop.feed import Feed
from trm_edge.loop.solution import Solution
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.base import Task
from trm_edge.tasks.entries import BadLine, Entry

MOST_EMPTY = 16  # blocks without a puzzle that are opened before their answers are handed out
_UNSOLVED = ""  # result of a row whose puzzle is still waited for


class OpenBlock:
    """A block some of whose rows are not solved yet.

    Args:
        task: parses the rows.
        rows: with the columns of ``ROW_SCHEMA``.

    Attributes:
        rows: as above.
        entries: the puzzle of each row; None where there is none.
        results: the solution of each row, or why it has none.
        is_empty: no row has a puzzle.
    """

    def __init__(self, task: Task, rows: pa.Table) -> None:
        self.rows = rows
        self.entries: list[Entry | None] = []
        self.results: list[Solution | str] = []
        self._unsolved = 0
        lines = rows["line"].to_pylist()
        for line, entry in zip(lines, block_entries(task, rows), strict=True):
            if isinstance(entry, BadLine):
                self.entries.append(None)
                self.results.append(
                    entry.reason if line is None else f"line {line}: {entry.reason}"
                )
            else:
                self.entries.append(entry)
                self.results.append(_UNSOLVED)
                self._unsolved += 1

        self.is_empty = self._unsolved == 0

    @property
    def is_done(self) -> bool:
        """Every row has its result."""
        return self._unsolved == 0

    def put(self, place: int, result: Solution | str) -> None:
        """Take the result of a row that had none.

        Args:
            place: of the row in the block.
            result: its solution, or why it has none.
        """
        self.results[place] = result
        self._unsolved -= 1


class Ticket:
    """A puzzle that was handed to the loop, and the place for its solution.

    Args:
        block: that it belongs to.
        place: of its row in the block.
        puzzle: the puzzle.
    """

    __slots__ = ("_block", "_place", "puzzle")

    def __init__(self, block: OpenBlock, place: int, puzzle: Puzzle) -> None:
        self._block = block
        self._place = place
        self.puzzle = puzzle

    def finish(self, result: Solution | str) -> None:
        """Take the solution, or why there is none."""
        self._block.put(self._place, result)


class RowFeed(Feed[Puzzle]):
    """Opens a block when the puzzles of the last one are all taken, so no slot waits for a block.

    Blocks that fail to come end the stream: what was read before is still solved.

    Args:
        task: of the bundle.
        blocks: rows with the columns of ``ROW_SCHEMA``.

    Attributes:
        in_flight: puzzles that were taken and have no result, in the order of the rows.
    """

    is_checked = True  # blocks hand out puzzles that fit their model

    def __init__(self, task: Task, blocks: Iterable[pa.Table]) -> None:
        self.in_flight: deque[Ticket] = deque()
        self._task = task
        self._blocks = iter(blocks)
        self._open: deque[OpenBlock] = deque()
        self._waiting: deque[Ticket] = deque()
        self._empty = 0
        self._has_ended = False
        self._error: TrmEdgeError | None = None

    @property
    def is_exhausted(self) -> bool:
        """Every puzzle was taken and has its result."""
        return self._has_ended and not self._waiting and not self.in_flight

    def take(self) -> Puzzle | None:
        """Take the next puzzle; None where there is none any more."""
        if not self.wait():
            return None
        ticket = self._waiting.popleft()
        self.in_flight.append(ticket)
        return ticket.puzzle

    def wait(self) -> bool:
        """Open further blocks until a puzzle can be taken.

        Returns:
            False at the end of the stream, and after blocks without a puzzle, whose answers have to
            be handed out before more are opened.
        """
        while not self._waiting and not self._has_ended and self._empty < MOST_EMPTY:
            self._open_next()
        return bool(self._waiting)

    def finish(self, result: Solution | str) -> None:
        """Take the result of the puzzle that has been in flight for longest.

        Args:
            result: its solution, or why it has none.
        """
        self.in_flight.popleft().finish(result)

    def done(self) -> Iterator[OpenBlock]:
        """Hand out the blocks whose rows all have their results, in the order of the rows."""
        while self._open and self._open[0].is_done:
            block = self._open.popleft()
            if block.is_empty:
                self._empty -= 1
            yield block

    def check(self) -> None:
        """Say why the blocks ended early.

        Raises:
            TrmEdgeError: the input failed.
        """
        if self._error is not None:
            raise self._error

    def _open_next(self) -> None:
        try:
            rows = next(self._blocks, None)
        except TrmEdgeError as error:
            self._error = error
            rows = None
        if rows is None:
            self._has_ended = True
            return
        block = OpenBlock(self._task, rows)
        self._open.append(block)
        if block.is_empty:
            self._empty += 1
        for place, entry in enumerate(block.entries):
            if entry is not None:
                self._waiting.append(Ticket(block, place, entry.puzzle))
