"""Collects answers, and hands them on to be written now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from trm_edge.errors import OutputError

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

        Raises:
            OutputError: it cannot be written.
        """
        try:
            yield
        except OutputError:
            raise
        except BaseException:
            self.flush()
            raise
        self.flush()

    def _hand_on(self, rows: int) -> None:
        """Hand on the first rows of those in memory; they are forgotten even where that fails."""
        answers = pa.concat_tables(self._answers)
        rest = answers.slice(rows)
        self._answers = [rest]
        self._count = len(rest)
        self._write(answers.slice(0, rows))
        self._last = time.monotonic()
