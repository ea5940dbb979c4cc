"""What makes the answer to a maze right: nothing but one shortest path from S to G is marked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.tasks.grid_paths import SquareGrid
from trm_edge.tasks.maze_cells import GOAL, OPEN, START, WALL, WAY
from trm_edge.tasks.maze_distance import UNREACHED, shortest_paths
from trm_edge.tasks.text_formats import place

_NAMES = ("padding", "a wall", "open", "the start", "the goal", "the path")


class MazeRules:
    """The rules of mazes of one size.

    Args:
        side: cells in a row.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self._grid = SquareGrid(side)

    def problem(self, maze: NDArray[Any], cells: NDArray[Any]) -> str | None:
        """Explain why an answer is wrong.

        Args:
            maze: (L,) token ids of the puzzle.
            cells: (L,) token ids of the answer.

        Returns:
            The reason, or None where the answer is right.
        """
        return (
            self.problem_of_puzzle(maze)
            or find_change(maze, cells, self.side)
            or self._problem_of_path(cells)
        )

    def judge(self, puzzles: NDArray[Any], answers: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell of many answers whether :meth:`problem` finds none.

        Args:
            puzzles: (n, L) token ids, of at most ``maze_distance.LARGEST_SIDE`` cells in a row.
            answers: (n, L) token ids.

        Returns:
            (n,) bool.
        """
        right = only_marks(puzzles, answers) & _has_one(puzzles, START) & _has_one(puzzles, GOAL)
        # Among cells that all have two neighbours on the path, and its ends that have one, there is
        # one path from end to end, and perhaps rings. Rings would make it longer than the shortest.
        shape = (-1, self.side, self.side)
        marked = (answers == WAY).reshape(shape)
        ends = ((answers == START) | (answers == GOAL)).reshape(shape)
        neighbours = _count_neighbours(marked | ends)
        right &= ((neighbours == 2) | ~marked).all((1, 2))
        right &= ((neighbours == 1) | ~ends).all((1, 2))
        judged = np.flatnonzero(right)
        lengths = self._distances(answers[judged])
        right[judged] = lengths == marked[judged].sum((1, 2)) + 1
        return right

    def are_solvable(self, mazes: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell of many puzzles whether there is one S, one G, and a path between them.

        Args:
            mazes: (n, L) token ids.

        Returns:
            (n,) bool.
        """
        solvable = _has_one(mazes, START) & _has_one(mazes, GOAL)
        searched = np.flatnonzero(solvable)
        solvable[searched] = self._distances(mazes[searched]) != UNREACHED
        return solvable

    def problem_of_puzzle(self, maze: NDArray[Any]) -> str | None:
        """Explain why nobody could solve a maze.

        Args:
            maze: (L,) token ids.

        Returns:
            The reason, or None where it can be solved.
        """
        starts = int((maze == START).sum())
        goals = int((maze == GOAL).sum())
        if (starts, goals) != (1, 1):
            return f"expected one S and one G, but got {starts} and {goals}"
        if self._shortest_path(maze) is None:
            return "there is no path from S to G"
        return None

    def _problem_of_path(self, cells: NDArray[Any]) -> str | None:
        """Explain why the marked cells of a maze are not one shortest path."""
        start = int(np.argmax(cells == START))
        goal = int(np.argmax(cells == GOAL))
        length = self._grid.path_length(np.flatnonzero(cells == WAY), start, goal)
        if isinstance(length, str):
            return length
        shortest = self._shortest_path(cells)
        if length != shortest:
            return f"the path takes {length} steps, but {shortest} are enough"
        return None

    def _shortest_path(self, cells: NDArray[Any]) -> int | None:
        start = int(np.argmax(cells == START))
        goal = int(np.argmax(cells == GOAL))
        return self._grid.shortest_path(cells > WALL, start, goal)

    def _distances(self, cells: NDArray[Any]) -> NDArray[np.int64]:
        """Steps (n,) of the shortest paths from S to G."""
        squares_of_cells = cells.reshape(-1, self.side, self.side)
        return shortest_paths(
            squares_of_cells > WALL, squares_of_cells == START, squares_of_cells == GOAL
        )


def _has_one(cells: NDArray[Any], token: int) -> NDArray[np.bool_]:
    """Tell of mazes (n, L) whether one cell alone holds a token."""
    has_one: NDArray[np.bool_] = (cells == token).sum(1) == 1
    return has_one


def only_marks(puzzles: NDArray[Any], answers: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell of many answers whether they do nothing but mark open cells.

    Args:
        puzzles: (n, L) token ids.
        answers: (n, L) token ids.

    Returns:
        (n,) bool.
    """
    marked = (puzzles == OPEN) & (answers == WAY)
    only_marks: NDArray[np.bool_] = ((puzzles == answers) | marked).all(1)
    return only_marks


def _count_neighbours(cells: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Count the neighbours (n, side, side) of every cell that are set."""
    counts = np.zeros(cells.shape, np.int8)
    counts[:, 1:] += cells[:, :-1]
    counts[:, :-1] += cells[:, 1:]
    counts[:, :, 1:] += cells[:, :, :-1]
    counts[:, :, :-1] += cells[:, :, 1:]
    return counts


def find_change(puzzle: NDArray[Any], answer: NDArray[Any], side: int) -> str | None:
    """Find where an answer does more than mark open cells.

    Args:
        puzzle: (L,) token ids.
        answer: (L,) token ids.
        side: cells in a row.

    Returns:
        What was changed, or None.
    """
    marked = (puzzle == OPEN) & (answer == WAY)
    changed = np.flatnonzero((puzzle != answer) & ~marked)
    if not len(changed):
        return None
    cell = changed[0]
    return f"{place(cell, side)} was {_NAMES[puzzle[cell]]} and is now {_NAMES[answer[cell]]}"
