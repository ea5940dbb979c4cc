"""Plan paths through an occupancy grid with a maze model; knows nothing of ROS.

The grid is made as coarse as the canvas of the model, and walls fill what is left of it. An answer
counts only if the marked cells are one shortest path.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, cos, sin
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trm_edge.errors import TrmEdgeError
from trm_edge.loop.solver import Solver
from trm_edge.puzzle import Puzzle
from trm_edge.tasks.maze import MazeTask
from trm_edge.tasks.maze_cells import GOAL, OPEN, START, WALL, WAY

Status = Literal["path", "unsure", "timed out", "wrong"]
Cell = tuple[int, int]  # row and column
Point = tuple[float, float]  # x and y in metres


class PlanError(TrmEdgeError):
    """There is nothing to plan: the map, the start or the goal cannot be used."""


@dataclass(frozen=True)
class GridMap:
    """An occupancy grid, as nav_msgs/OccupancyGrid has it.

    Args:
        occupancy: (H, W) int8, 0 for free to 100 for occupied, -1 for unknown; row 0 is at the
            origin.
        resolution: side of a cell in metres.
        origin: x and y of the outer corner of cell (0, 0), in metres.
        yaw: angle of the rows against the x axis, in radians.
    """

    occupancy: NDArray[np.int8]
    resolution: float
    origin: Point = (0.0, 0.0)
    yaw: float = 0.0

    def cell_of(self, point: Point) -> Cell:
        """Find the cell that a point lies in; it may be outside of the grid.

        Args:
            point: in the frame of the map.
        """
        x = point[0] - self.origin[0]
        y = point[1] - self.origin[1]
        along = cos(self.yaw) * x + sin(self.yaw) * y
        across = cos(self.yaw) * y - sin(self.yaw) * x
        return int(across // self.resolution), int(along // self.resolution)

    def centre_of(self, cell: Cell) -> Point:
        """Find the centre of a cell.

        Args:
            cell: row and column.
        """
        along = (cell[1] + 0.5) * self.resolution
        across = (cell[0] + 0.5) * self.resolution
        x = self.origin[0] + cos(self.yaw) * along - sin(self.yaw) * across
        y = self.origin[1] + sin(self.yaw) * along + cos(self.yaw) * across
        return x, y

    def coarser(self, side: int, occupied_from: int) -> GridMap:
        """Merge cells until the grid fits into a square; one occupied cell makes a block occupied.

        Args:
            side: cells of the square in a row.
            occupied_from: occupancy from which on a cell counts as occupied; unknown cells do, too.

        Returns:
            A grid of at most ``side`` times ``side`` cells, each 0 or 100.
        """
        factor = max(1, ceil(max(self.occupancy.shape) / side))
        occupied = (self.occupancy < 0) | (self.occupancy >= occupied_from)
        height, width = occupied.shape
        padding = ((0, -height % factor), (0, -width % factor))
        padded = np.pad(occupied, padding, constant_values=True)
        blocks = padded.reshape(padded.shape[0] // factor, factor, -1, factor)
        occupancy = np.where(blocks.any((1, 3)), 100, 0).astype(np.int8)
        return GridMap(occupancy, self.resolution * factor, self.origin, self.yaw)


@dataclass(frozen=True)
class Plan:
    """What came of one request.

    Args:
        status: ``path``: use it. ``unsure``: a path, but below the confidence that was asked for.
            ``timed out`` and ``wrong``: no path.
        points: of the path from start to goal, in metres, where there is one.
        confidence: of the halting head.
        steps: ACT steps.
        message: what the answer is, for people.
    """

    status: Status
    points: tuple[Point, ...]
    confidence: float
    steps: int
    message: str


class MazePlanner:
    """Plans with an entered solver of a maze model.

    Args:
        solver: its deadline and halting rule bound the time of a plan.
        task: the model's mazes.
        min_confidence: below it, a path is ``unsure``.
        occupied_from: occupancy, 0 to 100, from which on a cell is a wall.
    """

    def __init__(
        self,
        solver: Solver,
        task: MazeTask,
        *,
        min_confidence: float = 0.5,
        occupied_from: int = 65,
    ) -> None:
        self._solver = solver
        self._task = task
        self._min_confidence = min_confidence
        self._occupied_from = occupied_from

    def plan(self, grid: GridMap, start: Point, goal: Point) -> Plan:
        """Plan a path.

        Args:
            grid: the map.
            start: in the frame of the map, in metres.
            goal: in the frame of the map, in metres.

        Raises:
            PlanError: the map is empty, or start or goal is outside of it or occupied.
            CancelledError: the solver was cancelled from another thread.
        """
        if not grid.occupancy.size:
            raise PlanError("the map has no cells.")
        coarse = grid.coarser(self._task.side, self._occupied_from)
        first = _free_cell(coarse, start, "start")
        last = _free_cell(coarse, goal, "goal")
        if first == last:
            return Plan("path", (coarse.centre_of(first),), 1.0, 0, "start and goal share a cell")
        maze = self._maze(coarse, first, last)
        solution = self._solver.solve_one(Puzzle(maze.ravel()))
        problem = self._task.problem(maze.ravel(), solution.answer)
        if problem is not None:
            status: Status = "timed out" if solution.timed_out else "wrong"
            return Plan(status, (), solution.confidence, solution.steps, problem)
        cells = _cells_in_order(solution.answer.reshape(maze.shape), first, last)
        points = tuple(coarse.centre_of(cell) for cell in cells)
        if solution.confidence < self._min_confidence:
            message = f"a valid path, but its confidence is {solution.confidence:.2f}"
            return Plan("unsure", points, solution.confidence, solution.steps, message)
        return Plan("path", points, solution.confidence, solution.steps, "a valid path")

    def _maze(self, grid: GridMap, start: Cell, goal: Cell) -> NDArray[np.int32]:
        """Token ids (side, side) of the maze that a grid of at most that size is."""
        maze = np.full((self._task.side, self._task.side), WALL, np.int32)
        height, width = grid.occupancy.shape
        maze[:height, :width][grid.occupancy == 0] = OPEN
        maze[start] = START
        maze[goal] = GOAL
        return maze


def _free_cell(grid: GridMap, point: Point, name: str) -> Cell:
    row, column = grid.cell_of(point)
    height, width = grid.occupancy.shape
    place = f"the {name} ({point[0]:.2f}, {point[1]:.2f})"
    if not (0 <= row < height and 0 <= column < width):
        raise PlanError(f"{place} is outside of the map.")
    if grid.occupancy[row, column]:
        raise PlanError(
            f"{place} is in an occupied cell; the map's cells are {grid.resolution:.2f} m here."
        )
    return row, column


def _cells_in_order(answer: NDArray[np.integer], start: Cell, goal: Cell) -> list[Cell]:
    """Follow the marked cells of a valid answer from the start to the goal."""
    remaining = {(int(row), int(column)) for row, column in np.argwhere(answer == WAY)}
    remaining.add(goal)
    path = [start]
    while path[-1] != goal:
        row, column = path[-1]
        neighbours = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        following = next(cell for cell in neighbours if cell in remaining)
        remaining.remove(following)
        path.append(following)
    return path
