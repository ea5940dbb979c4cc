"""A ticket: the puzzles of one request, from its arrival until all of them are answered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import replace

from trm_edge.loop.puzzle_options import PuzzleOptions
from trm_edge.loop.solution import Solution
from trm_edge.puzzle import Puzzle


class Ticket:
    """The puzzles of one request.

    Args:
        puzzles: that fit the model, one or more.
        options: of all of them; their rule fits the solver's.
        due: when the answers are due, by time.monotonic().

    Attributes:
        arrived: by time.monotonic().
        done: gets the solutions in the order of the puzzles, or the error that ended the request.
        is_cancelled: nobody waits for the solutions any more.
    """

    def __init__(self, puzzles: Sequence[Puzzle], options: PuzzleOptions, due: float) -> None:
        self.puzzles = puzzles
        self.options = options
        self.due = due
        self.arrived = time.monotonic()
        self.done: Future[list[Solution]] = Future()
        self.is_cancelled = False
        self._begun = 0
        self._solutions: dict[int, Solution] = {}  # by the position of the puzzle

    @property
    def waiting(self) -> int:
        """Number of puzzles that have not begun."""
        return len(self.puzzles) - self._begun

    def begin(self) -> tuple[int, Puzzle]:
        """Begin the next puzzle.

        Returns:
            Its position in the request, and the puzzle.
        """
        position = self._begun
        self._begun += 1
        return position, self.puzzles[position]

    def deliver(self, position: int, solution: Solution) -> bool:
        """Add the solution of a puzzle.

        Args:
            position: of the puzzle in the request.
            solution: its index is replaced by the position.

        Returns:
            It was the last one.
        """
        self._solutions[position] = replace(solution, index=position)
        if len(self._solutions) < len(self.puzzles):
            return False
        solutions = [self._solutions[index] for index in range(len(self.puzzles))]
        try:
            self.done.set_result(solutions)
        except InvalidStateError:  # whoever waited has just left
            return True
        return True

    def fail(self, error: Exception) -> None:
        """End the request without solutions.

        Args:
            error: what whoever waits gets.
        """
        try:
            self.done.set_exception(error)
        except InvalidStateError:
            return
