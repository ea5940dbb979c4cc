from __future__ import annotations

import numpy as np
import pytest

from trm_edge.tasks.grid_paths import SquareGrid
from trm_edge.tasks.maze_distance import UNREACHED, shortest_paths


@pytest.mark.parametrize("side", [1, 2, 9, 30, 64])
def test_the_same_steps_as_one_by_one(side: int) -> None:
    random = np.random.default_rng(side)
    count = 40
    passable = random.random((count, side * side)) < 0.65
    starts = random.integers(0, side * side, count)
    goals = random.integers(0, side * side, count)
    start = np.zeros_like(passable)
    goal = np.zeros_like(passable)
    places = np.arange(count)
    start[places, starts] = True
    goal[places, goals] = True
    passable |= goal
    grid = SquareGrid(side)
    expected = []
    for number in range(count):
        found = grid.shortest_path(passable[number], int(starts[number]), int(goals[number]))
        expected.append(UNREACHED if found is None else found)
    shape = (count, side, side)
    steps = shortest_paths(passable.reshape(shape), start.reshape(shape), goal.reshape(shape))
    assert steps.tolist() == expected


def test_no_mazes() -> None:
    none = np.zeros((0, 3, 3), np.bool_)
    assert len(shortest_paths(none, none, none)) == 0


def test_a_row_must_fit_into_a_number() -> None:
    cells = np.ones((1, 65, 65), np.bool_)
    with pytest.raises(ValueError, match="at most 64 cells, but got 65"):
        shortest_paths(cells, cells, cells)
