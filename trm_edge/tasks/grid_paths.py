"""Paths on a square grid of cells, one step up, down, left or right at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trm_edge.tasks.text_formats import place


class SquareGrid:
    """The cells of a square, numbered row by row.

    Args:
        side: cells in a row.

    Attributes:
        neighbours: for every cell, the cells one step away.
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self.neighbours = [self._neighbours_of(cell) for cell in range(side * side)]

    def shortest_path(self, passable: NDArray[np.bool_], start: int, goal: int) -> int | None:
        """Count the steps of the shortest path, by breadth-first search.

        Args:
            passable: (L,) cells that a path may use; the start may always be used.
            start: the first cell.
            goal: the last cell.

        Returns:
            The steps, or None where there is no path.
        """
        closed: list[bool] = np.logical_not(passable).tolist()
        closed[start] = True
        front = [start]
        steps = 0
        while front:
            if goal in front:
                return steps
            reached = []
            for cell in front:
                for neighbour in self.neighbours[cell]:
                    if not closed[neighbour]:
                        closed[neighbour] = True
                        reached.append(neighbour)
            front = reached
            steps += 1
        return None

    def path_length(self, marked: NDArray[Any], start: int, goal: int) -> int | str:
        """Follow the marked cells from the start to the goal.

        Args:
            marked: (n,) cells that the path is made of, without its two ends.
            start: the first cell.
            goal: the last cell.

        Returns:
            The steps of the path; or, as text, why the marked cells are not exactly one path.
        """
        cells = {*marked.tolist(), goal}
        # The walk never comes back to a cell: it would have found a branch there before.
        path = [start]
        while path[-1] != goal:
            ahead = []
            for cell in self.neighbours[path[-1]]:
                if cell in cells and cell not in path[-2:]:
                    ahead.append(cell)
            if not ahead:
                return f"the path from S ends at {place(path[-1], self.side)}, not at G"
            if len(ahead) > 1:
                return f"the path branches at {place(path[-1], self.side)}"
            path.append(ahead[0])
        astray = sorted(cells.difference(path))
        if astray:
            return f"{place(astray[0], self.side)} is marked, but is not on the path"
        return len(path) - 1

    def _neighbours_of(self, cell: int) -> list[int]:
        row, column = divmod(cell, self.side)
        neighbours = []
        if row > 0:
            neighbours.append(cell - self.side)
        if row < self.side - 1:
            neighbours.append(cell + self.side)
        if column > 0:
            neighbours.append(cell - 1)
        if column < self.side - 1:
            neighbours.append(cell + 1)
        return neighbours
