"""The puzzles of a source that are there to be solved; solved and unknown ones are left out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from trm_edge.errors import CalibrationError, PuzzleError
from trm_edge.tasks.base import BadLine, Entry, SolvedLine, Task, UnknownIdentifier

logger = logging.getLogger(__name__)


class UnsolvedPuzzles:
    """A source's puzzles without solved grids and unknown identifiers, which it counts.

    Args:
        task: reads the puzzles.
        path: a text or CSV file, or a dataset folder.
    """

    def __init__(self, task: Task, path: Path) -> None:
        self._task = task
        self._path = path
        self._read = 0
        self._solved = 0
        self._unknown = 0
        self._first_unknown = ""

    def __iter__(self) -> Iterator[Entry]:
        """The puzzles.

        Raises:
            PuzzleError: a line is malformed: figures would not be what they seem.
        """
        for item in self._task.read(self._path):
            if isinstance(item, SolvedLine):
                self._read += 1
                self._solved += 1
                continue
            if isinstance(item, UnknownIdentifier):
                self._read += 1
                self._unknown += 1
                self._first_unknown = self._first_unknown or str(item)
                continue
            if isinstance(item, BadLine):
                raise PuzzleError(f"{self._path}, {item}.")
            self._read += 1
            if self._task.is_complete(item.puzzle):
                self._solved += 1
                continue
            yield item

    def report(self, error: type[CalibrationError | PuzzleError]) -> None:
        """Warn about what was left out, or raise where there is nothing else.

        Args:
            error: to raise.

        Raises:
            CalibrationError: every puzzle is solved or unknown, and ``error`` is this.
            PuzzleError: the same.
        """
        if self._unknown:
            message = (
                f"{self._unknown} of {self._read} puzzles in {self._path} have an identifier that "
                "the weights have no row for: the dataset was built again, or is another one "
                f"({self._first_unknown})."
            )
            if self._unknown == self._read:
                raise error(f"{message} Pass the dataset of the run.")
            logger.warning("%s They are left out.", message)
        if not self._solved:
            return
        message = (
            f"{self._solved} of {self._read} puzzles in {self._path} have no blank: are these "
            "solutions?"
        )
        if self._solved == self._read:
            raise error(f"{message} Pass the puzzles themselves.")
        logger.warning("%s They are left out.", message)
