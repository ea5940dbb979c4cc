"""What a source of puzzles holds: puzzles with their answers, and lines that are none."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trm_edge.puzzle import Puzzle


@dataclass(frozen=True)
class Entry:
    """One puzzle of a source.

    Args:
        puzzle: the puzzle.
        line: in the source, from 1; a row of a dataset counts as a line.
        answer: (L,) int32 token ids of the known answer, where the source has one.
        name: of the puzzle, where the source names its puzzles.
    """

    puzzle: Puzzle
    line: int
    answer: NDArray[np.int32] | None = None
    name: str | None = None


@dataclass(frozen=True)
class BadLine:
    """A line that is not a puzzle; those after it are still read.

    Args:
        line: in the source, from 1.
        reason: why it is not a puzzle.
        id: of the row, where the source has ids and this one can be read.
    """

    line: int
    reason: str
    id: str | None = field(default=None, kw_only=True)

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True)
class SolvedLine(BadLine):
    """A line with a puzzle that is solved already, such as the answer to another one.

    Args:
        line: in the source, from 1.
        reason: why it is not a puzzle.
    """


@dataclass(frozen=True)
class UnknownIdentifier(BadLine):
    """A row of a dataset whose puzzle the model has no embedding for.

    Args:
        line: in the source, from 1.
        reason: names the identifier.
    """


@dataclass(frozen=True)
class BadTask(BadLine):
    """A task of a file that cannot be used.

    Args:
        line: place among the puzzles of the source, from 1.
        reason: names the task.
    """

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class UnknownTask(UnknownIdentifier):
    """A task that the model has no embedding for.

    Args:
        line: place among the puzzles of the source, from 1.
        reason: names the task.
    """

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class AnswerLine(BadLine):
    """A line with the known answer to the puzzle on the line before it.

    ``Task.read`` adds it to its puzzle; ``Task.read_lines`` cannot, because it hands out a
    puzzle before the next line is there.

    Args:
        line: in the source, from 1.
        reason: says which puzzle it belongs to.
        answer: (L,) int32 token ids.
    """

    answer: NDArray[np.int32]
