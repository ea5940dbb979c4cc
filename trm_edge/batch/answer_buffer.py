"""Collects answers, and hands them on to be written now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from trm_edge.batch.source import RowSource
from trm_edge.errors import TrmEdgeError

logger = logging.getLogger(__name__)

PART_ROWS = 1 << 16
PART_SECONDS = 30.0


class AnswerBuffer:
    """Hands answers on when enough are there, or some time after the last ones.

    Args:
        write: takes tables with the columns of ``ANSWER_SCHEMA``, and writes them.
        rows: of a table at most.
        seconds: between two tables at most, where any answers came.
    """

    def __init__(
        self,
        write: Callable[[pa.Table], None],
        *,
        rows: int = PART_ROWS,
        seconds: float = PART_SECONDS,
    ) -> None:
        self._write = write
        self._rows = rows
        self._seconds = seconds
        self._answers: list[pa.Table] = []
        self._count = 0
        self._last = time.monotonic()
        self._has_failed = False  # to write

    def add(self, answers: pa.Table) -> None:
        """Take further answers.

        Args:
            answers: with the columns of ``ANSWER_SCHEMA``.

        Raises:
            OutputError: answers cannot be written.
        """
        self._answers.append(answers)
        self._count += len(answers)
        while self._count >= self._rows:
            self._hand_on(self._rows)
        if time.monotonic() - self._last >= self._seconds:
            self.flush()

    def flush(self) -> None:
        """Hand on the answers that are in memory.

        Raises:
            OutputError: they cannot be written.
        """
        if self._count:
            self._hand_on(self._count)

    @contextmanager
    def flushed(self) -> Iterator[None]:
        """Hand on what is in memory when the block ends, unless writing is what has failed.

        An error of the block is the one that is raised: a second one, of writing what was solved
        before it, is logged.

        Raises:
            TrmEdgeError: it cannot be written, and nothing failed before.
        """
        try:
            yield
        except BaseException:
            if not self._has_failed:
                self._try_to_flush()
            raise
        self.flush()

    def _try_to_flush(self) -> None:
        try:
            self.flush()
        except TrmEdgeError as error:
            logger.warning("The last answers are lost, and are solved again: %s", error)

    def _hand_on(self, rows: int) -> None:
        """Hand on the first rows of those in memory; they are forgotten even where that fails."""
        answers = pa.concat_tables(self._answers)
        rest = answers.slice(rows)
        self._answers = [rest]
        self._count = len(rest)
        self._has_failed = True
        self._write(answers.slice(0, rows))
        self._has_failed = False
        self._last = time.monotonic()


def checked_buffer(
    source: RowSource, write: Callable[[pa.Table], None], *, rows: int = PART_ROWS
) -> AnswerBuffer:
    """Make a buffer whose answers are written only where the input is still what it was.

    Args:
        source: that the answers are to, hashed.
        write: takes tables with the columns of ``ANSWER_SCHEMA``, and writes them.
        rows: of a table at most.

    Returns:
        A buffer that raises ``PuzzleError`` instead of writing where a file has changed.
    """

    def write_checked(answers: pa.Table) -> None:
        source.check_unchanged()
        write(answers)

    return AnswerBuffer(write_checked, rows=rows)
